/**
 * `node:http` without what nobody here uses.
 *
 * An ES import of it reads every one of its exports, and one of them (`WebSocket`) loads undici
 * with it: 2 MB that stay.
 */
export const { createServer, request } = process.getBuiltinModule('node:http')
