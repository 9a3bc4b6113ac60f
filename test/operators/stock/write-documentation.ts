import { writeTable } from './documentation.js';

writeTable();
