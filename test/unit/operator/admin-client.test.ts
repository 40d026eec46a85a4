/** The command's side of the daemon's socket: documents, refusals, and nobody there. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adminSocketFile, readAdmin } from '../../../src/operator/admin-client.ts'

let runtimeDir: string
let server: Server | undefined

beforeEach(async () => {
  runtimeDir = await mkdtemp(join(tmpdir(), 'atoll-admin-'))
})
afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
  await rm(runtimeDir, { recursive: true, force: true })
})

async function serve(answer: RequestListener): Promise<void> {
  server = createServer(answer).listen(adminSocketFile(runtimeDir))
  await once(server, 'listening')
}

test('a document comes back as it is, from the path that was asked', async () => {
  await serve((request, response) => response.end(JSON.stringify({ path: request.url })))
  expect(await readAdmin(runtimeDir, '/v1/status')).toEqual({ path: '/v1/status' })
})

test('what the daemon refuses is said in its words', async () => {
  await serve((_request, response) => response.writeHead(503).end('{"error":"records are away"}'))
  await expect(readAdmin(runtimeDir, '/v1/hosts')).rejects.toThrow(/^records are away$/)
})

test('a question that it takes for a mistake is told from a failure', async () => {
  await serve((_request, response) => response.writeHead(409).end('{"error":"nobody is \\"x\\""}'))
  await expect(readAdmin(runtimeDir, '/v1/explain')).rejects.toMatchObject({
    kind: 'refused',
    message: 'nobody is "x"',
  })
})

test('without a daemon the message says how to start it', async () => {
  await expect(readAdmin(runtimeDir, '/v1/hosts')).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(
      /not running here.*ENOENT.*Start it with: systemctl start atolld/,
    ),
  })
})

test('a daemon that accepts and breaks off is not said to be absent', async () => {
  await serve((request) => request.socket.destroy())
  await expect(readAdmin(runtimeDir, '/v1/hosts')).rejects.toThrow(
    /does not answer at .*\(ECONNRESET\)\. Read its log/,
  )
})

test('a daemon that dies while it answers is away', async () => {
  await serve((request) => request.socket.destroy())
  await expect(readAdmin(runtimeDir, '/v1/hosts')).rejects.toMatchObject({ kind: 'unavailable' })
})
