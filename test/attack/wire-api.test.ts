/**
 * An attacker between a client and a host reads, repeats or forges requests to the API.
 *
 * Before, the API had plain HTTP only: a request from another machine was answered, and its
 * signature could be read and repeated for 15 minutes. Here the attacker has a network namespace of
 * its own, at the other end of a link.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { certificateFiles, ensureCertificates } from '../../src/lib/certificates.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { type RunningApi, runApi } from '../kit/api.ts'

const HOST = '192.0.2.1'
const STRANGER = '192.0.2.2'
const metrics = createMetrics()
const held: { listener?: () => void } = {}
let directory = ''
let host: Netns
let stranger: Netns
let leave: () => void
let api: RunningApi
let shown = { cert: '', key: '' }

async function issue(nowMs: number): Promise<void> {
  const identity = { names: ['host1', 'localhost'], addresses: [HOST, '127.0.0.1'] }
  await ensureCertificates({ secret: 'a'.repeat(64), directory, identity, nowMs })
  const { cert, key } = certificateFiles(directory)
  shown = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
  held.listener?.()
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-wire-'))
  host = await createNetns('wire')
  stranger = await createNetns('stranger')
  const { pid } = stranger
  await host.must(['ip', 'link', 'add', 'c0', 'type', 'veth', 'peer', 'c1', 'netns', `${pid}`])
  await host.must(['ip', 'address', 'add', `${HOST}/24`, 'dev', 'c0'])
  await host.must(['ip', 'link', 'set', 'c0', 'up'])
  await stranger.must(['ip', 'address', 'add', `${STRANGER}/24`, 'dev', 'c1'])
  await stranger.must(['ip', 'link', 'set', 'c1', 'up'])
  leave = host.enter()
  await issue(Date.now())
  api = await runApi([], {
    listen: '0.0.0.0',
    metrics,
    limits: { handshakeTimeoutMs: 500, handshakesOfOne: { burst: 20, perSecond: 5 } },
    certificates: {
      hostName: 'host1',
      api: () => shown,
      host: () => shown,
      onChange: (listener) => {
        held.listener = listener
      },
    },
  })
}, 60_000)
afterAll(async () => {
  await api?.[Symbol.asyncDispose]()
  leave?.()
  await stranger?.destroy()
  await host?.destroy()
  await rm(directory, { recursive: true, force: true })
})

const counted = async (name: string) =>
  Number(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)`, 'm').exec(await metrics.render())?.[1] ?? 0)

const ca = () => certificateFiles(directory).ca
const curl = (...args: readonly string[]) =>
  stranger.run(['curl', '-s', '-m', '20', '-w', '\n%{http_code}', ...args])

describe('a stranger on the network', () => {
  let before = 0
  beforeEach(async () => {
    before = await counted('atoll_api_requests_total')
  })

  it('gets nothing by plain HTTP but the advice to use TLS, and nothing of the request is processed', async () => {
    const signed = [
      '-H',
      'Authorization: AWS4-HMAC-SHA256 Credential=A/20261128/a/ec2/aws4_request',
    ]
    for (const more of [[], signed, ['-d', 'Action=RunInstances'], ['-X', 'PATCH']]) {
      const { stdout } = await curl(...more, `http://${HOST}:${api.port}/`)
      expect(stdout).toMatch(/<Code>InvalidRequest<\/Code>.*use https.*\n400$/s)
    }
    expect(await counted('atoll_api_requests_total')).toBe(before)
    expect(await counted('atoll_api_plain_refused_total')).toBe(4)
  })

  it('cannot claim to be a client of this host', async () => {
    const said = [
      '-H',
      'Host: 127.0.0.1',
      '-H',
      'X-Forwarded-For: 127.0.0.1',
      '-H',
      'Forwarded: for=127.0.0.1',
    ]
    const { stdout } = await curl(...said, `http://${HOST}:${api.port}/`)
    expect(stdout).toMatch(/use https.*\n400$/s)
    // Loopback addresses do not come in by a cable (net.ipv4.conf.*.route_localnet is off).
    await stranger.must(['ip', 'address', 'add', '127.0.0.9/32', 'dev', 'lo'])
    const bound = await curl('--interface', '127.0.0.9', `http://${HOST}:${api.port}/`)
    expect(bound.stdout).toMatch(/\n000$/)
  })

  it('may use TLS, sees a certificate for the address that it called, and is answered', async () => {
    const { stdout } = await curl('--cacert', ca(), `https://${HOST}:${api.port}/`)
    expect(stdout).toMatch(/<Code>MissingAuthenticationToken<.*\n403$/s)
  })

  it('gets nothing below TLS 1.2', async () => {
    const url = `https://${HOST}:${api.port}/`
    const old = await curl('-k', '--tls-max', '1.1', '--ciphers', 'DEFAULT:@SECLEVEL=0', url)
    expect(old.stdout).toMatch(/\n000$/)
    expect((await curl('-k', '--tls-max', '1.2', url)).stdout).toMatch(/\n403$/)
  })

  it('cannot go on in clear inside of a connection that began with TLS', async () => {
    const socket = connect(api.port, '127.0.0.1')
    socket.write(Buffer.concat([Buffer.of(0x16, 3, 1), Buffer.from('GET / HTTP/1.1\r\n\r\n')]))
    socket.resume()
    await once(socket, 'close')
    expect(await counted('atoll_api_requests_total')).toBe(before)
  })

  it.each([
    ['says nothing', ''],
    ['begins a handshake and stops', '\x16\x03\x01'],
    ['ends at once', null],
  ])(
    'that %s is disconnected in time',
    async (_what, bytes) => {
      const socket = connect(api.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.resume()
      if (bytes === null) socket.end()
      else socket.write(Buffer.from(bytes, 'latin1'))
      await once(socket, 'close')
    },
    20_000,
  )

  it('that begins endless handshakes is refused, and this host itself is not', async () => {
    const script = `
      const { connect } = require('node:tls'); let failed = 0, done = 0
      const next = () => { const s = connect({ host: '${HOST}', port: ${api.port}, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }, () => s.destroy())
        s.on('error', () => { failed += 1 }); s.on('close', () => { done += 1; if (done === 60) console.log(failed) }) }
      for (let i = 0; i < 60; i += 1) next()`
    const { stdout } = await stranger.run([process.execPath, '-e', script], { timeoutMs: 60_000 })
    expect(Number(stdout)).toBeGreaterThan(0)
    expect((await curlHere(`https://127.0.0.1:${api.port}/`)).stdout).toMatch(/\n403$/)
    await eventually('it may come again', async () => {
      const { stdout: again } = await curl('--cacert', ca(), `https://${HOST}:${api.port}/`)
      return /\n403$/.test(again)
    })
  }, 90_000)
})

const curlHere = (...args: readonly string[]) =>
  host.run(['curl', '-s', '-m', '20', '--cacert', ca(), '-w', '\n%{http_code}', ...args])

describe('a client on this host', () => {
  it('may use either on the same port', async () => {
    expect((await curlHere(`http://127.0.0.1:${api.port}/`)).stdout).toMatch(/\n403$/)
    expect((await curlHere(`https://127.0.0.1:${api.port}/`)).stdout).toMatch(/\n403$/)
    expect((await curlHere(`https://localhost:${api.port}/`)).stdout).toMatch(/\n403$/)
  })

  it('is not on loopback when it calls the address of the network', async () => {
    expect((await curlHere(`http://${HOST}:${api.port}/`)).stdout).toMatch(/use https.*\n400$/s)
  })

  it('keeps its connection, and resumes its TLS session on a new one', async () => {
    const options = { host: '127.0.0.1', port: api.port, ca: await readFile(ca()) }
    const first = connectTls({ ...options, maxVersion: 'TLSv1.2' })
    const [session] = await once(first, 'session')
    first.destroy()
    const second = connectTls({ ...options, maxVersion: 'TLSv1.2', session })
    await once(second, 'secureConnect')
    expect(second.isSessionReused()).toBe(true)
    second.destroy()
  })

  it('sees the new certificate after a renewal, without a restart', async () => {
    const serial = async () => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: api.port,
        ca: await readFile(ca()),
      })
      await once(socket, 'secureConnect')
      const { raw } = socket.getPeerCertificate()
      socket.destroy()
      return createHash('sha256').update(raw).digest('hex')
    }
    const old = await serial()
    await issue(Date.now() + 61 * 24 * 3600 * 1000)
    await issue(Date.now())
    expect(await serial()).not.toBe(old)
  })
})
