/**
 * A console on another host: an attacker between the command and that host sees the ticket and
 * everything that is typed.
 *
 * Before, all of it was unencrypted, and nobody's identity was verified. Here `atoll console` is
 * sent to a server whose certificate is signed by the cluster's CA and valid for the address, but
 * belongs to another host than the one that was named.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createConsoleServer } from '../../src/api/console/server.ts'
import { certificateFiles, ensureCertificates } from '../../src/lib/certificates.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { formatId } from '../../src/model/ids.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { type RunningApi, runApi } from '../kit/api.ts'
import { createEchoTerminal } from '../kit/echo-terminal.ts'

const ATOLL = resolve(import.meta.dirname, '../../bin/atoll')
const INSTANCE = formatId('i', new Uint8Array(9))
const metrics = createMetrics()
let directory: string
let api: RunningApi
let named = 'host2'
const admin = fastify()
const server = createConsoleServer({
  attach: async () => createEchoTerminal(),
  clock: systemClock,
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  log: silentLog,
  metrics,
})

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-wire-console-'))
  const tls = join(directory, 'tls')
  const identity = { names: ['host2', 'localhost'], addresses: ['127.0.0.1'] }
  await ensureCertificates({
    secret: 'c'.repeat(64),
    directory: tls,
    identity,
    nowMs: Date.now(),
  })
  const { cert, key } = certificateFiles(tls)
  const shown = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
  api = await runApi([], {
    upgrader: server,
    certificates: {
      hostName: 'host2',
      api: () => shown,
      host: () => shown,
      onChange: () => undefined,
    },
  })
  await writeFile(
    join(directory, 'atoll.yaml'),
    `runtimeDir: ${directory}\ntls: {directory: ${tls}}\n`,
  )
  admin.post('/v1/instances/:id/console', async () => ({
    at: { address: '127.0.0.1', port: api.port },
    host: named,
    url: `wss://127.0.0.1:${api.port}/console`,
    ticket: server.issue(INSTANCE),
    ticketSeconds: 10,
  }))
  await admin.listen({ path: join(directory, 'admin.sock') })
}, 60_000)
afterAll(async () => {
  await admin.close()
  await server.close()
  await api?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

async function attach(typed: string) {
  const child = spawn(ATOLL, ['--config', join(directory, 'atoll.yaml'), 'console', INSTANCE])
  const [ended, out, err] = [once(child, 'exit'), text(child.stdout), text(child.stderr)]
  child.stdin.on('error', () => undefined)
  child.stdin.end(typed)
  const [exitCode] = await ended
  return { exitCode, out: await out, err: await err }
}

const shown = async () =>
  Number(/^atoll_console_tickets_refused_total (\d+)/m.exec(await metrics.render())?.[1] ?? 0)

it('uses TLS to the host that proves its name', async () => {
  named = 'host2'
  expect(await attach('hello\n')).toMatchObject({ exitCode: 5, out: 'hello\n' })
}, 60_000)

it('sends neither ticket nor input to one that does not', async () => {
  named = 'host3'
  const { exitCode, out, err } = await attach('hello\n')
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
  expect(err).toContain("does not match certificate's altnames")
  expect(await shown()).toBe(0)
}, 60_000)
