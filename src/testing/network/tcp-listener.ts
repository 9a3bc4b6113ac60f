import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Accept, ServerLink } from './link.js';

/** Accepts TCP connections on one address. */
export class TcpListener {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** Listens; port 0 stands for any that is free. */
  static async listen(host: string, port: number, accept: Accept): Promise<TcpListener> {
    const server = createServer({ noDelay: true });
    const listener = new TcpListener(server);
    server.on('connection', (socket) => listener.take(socket, accept));
    server.listen(port, host);
    await once(server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private take(socket: Socket, accept: Accept): void {
    this.sockets.add(socket);
    const events = accept(linkOver(socket));
    socket.on('data', (bytes: Buffer) => events.onBytes(bytes));
    socket.on('drain', () => events.onDrain());
    // A client that vanishes is nothing to report: what matters is that the connection is gone.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      events.onClose();
    });
  }
}

function linkOver(socket: Socket): ServerLink {
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    socket.uncork();
  };
  return {
    write(chunks) {
      // All that is answered in one turn goes out in one system call.
      if (!isCorked) {
        isCorked = true;
        socket.cork();
        process.nextTick(uncork);
      }
      for (const chunk of chunks) socket.write(chunk);
    },
    get isCongested() {
      return socket.writableNeedDrain;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
  };
}
