/**
 * scripts/check-api: its exit codes, a contract with keepalived, Pacemaker and monitoring.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const PROGRAMS = {
  'scripts/check-api': [],
  'bin/atoll check': ['--api'],
} as const
const ROOT = join(import.meta.dirname, '../../..')

interface Said {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

function check(args: readonly (string | number)[], program = 'scripts/check-api'): Promise<Said> {
  const [path = '', ...first] = program.split(' ')
  return new Promise((resolve) => {
    const env = { ...process.env, http_proxy: 'http://127.0.0.1:1' }
    const argv = [...first, ...args.map(String)]
    execFile(join(ROOT, path), argv, { env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** Runs the check while `listener` answers. Each try has as long as a busy machine may need. */
async function against(
  listener: RequestListener,
  args: readonly string[] = [],
  program?: string,
): Promise<Said> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await check(
      ['--seconds', '9', ...args, '--port', (server.address() as AddressInfo).port],
      program,
    )
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const answering =
  (status: number): RequestListener =>
  (_request, answer) =>
    void answer.writeHead(status).end()

it.each(Object.entries(PROGRAMS))('%s: a host that can serve is 0', async (program, args) => {
  const asked: IncomingMessage[] = []
  const said = await against(
    (request, answer) => {
      asked.push(request)
      answer.end()
    },
    args,
    program,
  )
  expect(said).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(['HEAD /healthz'])
})

it('a host that answers without its records is 1, and 0 with --answers', async () => {
  const said = await against(answering(503))
  expect(said).toMatchObject({ status: 1, stderr: '' })
  expect(said.stdout).toMatch(/cannot serve clients now.*atoll status\n$/)
  expect(await against(answering(503), ['--answers'])).toMatchObject({ status: 0, stdout: '' })
})

it.each([404, 301, 500])('what answers %d is not the API', async (status) => {
  const said = await against(answering(status), ['--answers'])
  expect(said.status).toBe(3)
  expect(said.stdout).toContain(`status ${status}`)
})

it('a port where nothing listens is 3', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const said = await check(['--answers', '--port', port])
  expect(said).toMatchObject({ status: 3, stderr: '' })
  expect(said.stdout).toContain(`port ${port}`)
})

it('a daemon that hangs is 3, after two tries that take no longer than they may', async () => {
  const began = performance.now()
  const said = await against(() => undefined, ['--answers', '--seconds', '0.2'])
  expect(said.status).toBe(3)
  expect(said.stdout).toContain('does not answer')
  expect(performance.now() - began).toBeGreaterThan(390)
})

it('one try that fails is no failure', async () => {
  let tries = 0
  const said = await against((_request, answer) => {
    tries += 1
    if (tries > 1) answer.end()
    else answer.destroy()
  })
  expect(said.status).toBe(0)
})

it.each([
  ['--port', '0'],
  ['--port', '65536'],
  ['--port', 'x;id'],
  ['--port', ''],
  ['--port'],
  ['--seconds', '0'],
  ['--seconds', '10'],
  ['--seconds', '1 --output /etc/passwd'],
  ['--dns'],
])('%s %s is bad usage', async (...args) => {
  expect(await check(args)).toMatchObject({ status: 2, stdout: '' })
})
