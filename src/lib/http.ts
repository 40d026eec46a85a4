/**
 * `node:http` without an unused part.
 *
 * An ES import of it reads all exports, and one of them (`WebSocket`) loads undici: 2 MB that stay
 * in memory.
 */
export const { createServer, request } = process.getBuiltinModule('node:http')
