import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Release } from './releases.js';

const run = promisify(execFile);

/** Where class paths, and the list of running brokers, are kept between runs. */
export const cacheFolder = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'rx-kafka',
);

/** The class path of a release. */
export function classpathOf({ version, scala, artifacts, exclusions }: Release): Promise<string> {
  const broker = `org.apache.kafka:kafka_${scala}:${version}`;
  return resolveClasspath(`kafka-${version}`, [...artifacts, broker], exclusions ?? []);
}

/**
 * The class path of Maven artifacts and what they depend on; earlier ones win over later ones.
 * Maven is asked once, the answer is kept.
 */
export async function resolveClasspath(
  name: string,
  artifacts: readonly string[],
  exclusions: readonly string[] = [],
): Promise<string> {
  const pom = pomOf(artifacts, exclusions);
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  const file = join(cacheFolder, 'classpath', `${name}-${hash}.txt`);
  const cached = await readFile(file, 'utf8').catch(() => undefined);
  if (cached !== undefined && (await allExist(cached.split(':')))) return cached;
  const classpath = await askMaven(pom);
  await mkdir(join(cacheFolder, 'classpath'), { recursive: true });
  // Written aside and renamed, for another process may do the same.
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, classpath);
  await rename(temporary, file);
  return classpath;
}

async function askMaven(pom: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rx-kafka-maven-'));
  try {
    await writeFile(join(folder, 'pom.xml'), pom);
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath';
    await run('mvn', ['-q', '-B', goal, '-Dmdep.outputFile=cp.txt'], { cwd: folder });
    return (await readFile(join(folder, 'cp.txt'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error('Maven (mvn) is needed to run real brokers; it is not on the PATH', {
        cause: error,
      });
    }
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`Maven could not resolve the broker:\n${stdout}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function pomOf(artifacts: readonly string[], exclusions: readonly string[]): string {
  const excluded = exclusions.map((exclusion) => {
    const [group, artifact] = exclusion.split(':');
    return `<exclusion><groupId>${group}</groupId><artifactId>${artifact}</artifactId></exclusion>`;
  });
  const dependencies = artifacts.map((dependency) => {
    const [group, artifact, version] = dependency.split(':');
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
      `<version>${version}</version><exclusions>${excluded.join('')}</exclusions></dependency>`
    );
  });
  return (
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>` +
    `<groupId>rx-kafka</groupId><artifactId>classpath</artifactId><version>1</version>` +
    `<dependencies>${dependencies.join('')}</dependencies></project>`
  );
}

async function allExist(files: readonly string[]): Promise<boolean> {
  const checks = await Promise.allSettled(files.map((file) => access(file)));
  return checks.every(({ status }) => status === 'fulfilled');
}
