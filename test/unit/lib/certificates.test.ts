import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  CERTIFICATE_DAYS,
  certificateFacts,
  certificateFiles,
  ensureCertificates,
} from '../../../src/lib/certificates.ts'

const SECRET = 'a'.repeat(64)
const DAY_MS = 24 * 3600 * 1000
const NOW = Date.now()

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'atoll-certificates-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const make = (host: string, more: { secret?: string; nowMs?: number; address?: string } = {}) =>
  ensureCertificates({
    secret: more.secret ?? SECRET,
    directory: join(root, host),
    identity: { names: [host, 'localhost'], addresses: [more.address ?? '10.0.0.1', '127.0.0.1'] },
    nowMs: more.nowMs ?? NOW,
  })

const files = (host: string) => certificateFiles(join(root, host))

/**
 * A mutual TLS handshake: `a` serves, `b` calls it by that name. Resolves with what the caller's
 * end says.
 */
async function handshake(a: string, b: string, servername: string): Promise<string> {
  const read = async (host: string) => {
    const { ca, cert, key } = files(host)
    return { ca: await readFile(ca), cert: await readFile(cert), key: await readFile(key) }
  }
  const server = createServer({
    ...(await read(a)),
    requestCert: true,
    rejectUnauthorized: true,
  })
  server.on('secureConnection', (socket) => socket.end('welcome'))
  server.on('tlsClientError', () => undefined)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const socket = connect({
      ...(await read(b)),
      socket: connectTcp(port, '127.0.0.1'),
      servername,
    })
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  } catch (error) {
    return String(error)
  } finally {
    server.close()
  }
}

describe('ensureCertificates', () => {
  it('makes an authority on each host that verifies the certificates of the others', async () => {
    await make('a')
    await make('b', { address: '10.0.0.2' })
    expect(await handshake('a', 'b', 'a')).toBe('welcome')
    expect(await handshake('b', 'a', 'b')).toBe('welcome')
    expect(await handshake('b', 'a', 'a')).toContain("does not match certificate's altnames")
    const facts = async (host: string) => new X509Certificate(await readFile(files(host).ca))
    const [one, other] = [await facts('a'), await facts('b')]
    expect(one.subject).toBe(other.subject)
    expect(one.serialNumber).not.toBe(other.serialNumber)
    expect(one.publicKey.equals(other.publicKey)).toBe(true)
  })

  it('lets nobody in whose secret is another', async () => {
    await make('a')
    await make('b', { secret: 'b'.repeat(64) })
    expect(await handshake('a', 'b', 'a')).toMatch(/unable to|self-signed/)
  })

  it('is for both ends, from yesterday on, and has a private key', async () => {
    const { issued, certificate } = await make('a')
    expect(issued).toBe(true)
    expect(certificate.daysLeft).toBeGreaterThanOrEqual(CERTIFICATE_DAYS - 1)
    expect(certificate.notBefore.getTime()).toBeLessThan(NOW - DAY_MS + 1000)
    const made = new X509Certificate(await readFile(files('a').cert))
    expect(made.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(made.ca).toBe(false)
    const mode = async (file: string) => ((await stat(file)).mode & 0o777).toString(8)
    expect(await mode(files('a').key)).toBe('600')
    expect(await mode(files('a').cert)).toBe('644')
    expect((await readdir(join(root, 'a'))).sort()).toEqual(['ca.crt', 'host.crt', 'host.key'])
  })

  it('keeps what is good, and renews when two thirds of the time have passed, with the same key', async () => {
    await make('a')
    const key = await readFile(files('a').key, 'utf8')
    const authority = await readFile(files('a').ca, 'utf8')
    expect((await make('a', { nowMs: NOW + 58 * DAY_MS })).issued).toBe(false)
    const late = await make('a', { nowMs: NOW + 62 * DAY_MS })
    expect(late.issued).toBe(true)
    expect(late.certificate.notAfter.getTime()).toBeGreaterThan(NOW + 150 * DAY_MS)
    expect(await readFile(files('a').key, 'utf8')).toBe(key)
    expect(await readFile(files('a').ca, 'utf8')).toBe(authority)
  })

  it.each(['ca', 'cert', 'key'] as const)('repairs a torn %s', async (which) => {
    await make('a')
    const { [which]: file } = files('a')
    const whole = await readFile(file, 'utf8')
    await writeFile(file, whole.slice(0, whole.length / 2))
    expect((await make('a')).issued).toBe(true)
    expect(await handshake('a', 'a', 'a')).toBe('welcome')
  })

  it('issues again for a new address, for a clock that was wrong, and for a new secret', async () => {
    await make('a', { nowMs: NOW + 400 * DAY_MS })
    expect((await make('a')).issued).toBe(true)
    expect((await make('a')).issued).toBe(false)
    expect((await make('a', { address: '10.0.0.9' })).issued).toBe(true)
    expect((await make('a', { secret: 'b'.repeat(64) })).issued).toBe(true)
    await make('b', { secret: 'b'.repeat(64) })
    expect(await handshake('b', 'a', 'b')).toBe('welcome')
  })

  it("leaves an operator's own certificates alone", async () => {
    await make('a')
    const { ca, cert, key } = files('a')
    const config = 'basicConstraints=critical,CA:TRUE'
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const out = ['-subj', '/CN=Our own', '-addext', config, '-keyout', key, '-out', ca]
    await promisify(execFile)('openssl', [...made, ...out])
    await copyFile(ca, cert)
    const before = await readFile(cert, 'utf8')
    expect((await make('a')).issued).toBe(false)
    expect(await readFile(cert, 'utf8')).toBe(before)
    await rm(cert)
    await expect(make('a')).rejects.toThrow('another CA')
  })

  it('can be asked for by several at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 8 }, () => make(`a${round}`)))
      expect(await handshake(`a${round}`, `a${round}`, `a${round}`)).toBe('welcome')
    }
  })

  it.each(['', 'a b', 'x\n[host]', 'a,DNS:evil', '$ENV::HOME', '-x'])(
    'refuses the name %j',
    async (name) => {
      await expect(make(name === '' ? '' : name)).rejects.toThrow('of a certificate')
    },
  )
})

describe('certificateFacts', () => {
  it('returns the days that are left, and null where there is nothing to read', async () => {
    await make('a')
    const { cert, key } = files('a')
    expect((await certificateFacts(cert, NOW + 95 * DAY_MS))?.daysLeft).toBeLessThan(0)
    expect(await certificateFacts(key, NOW)).toBeNull()
    expect(await certificateFacts(join(root, 'none'), NOW)).toBeNull()
  })
})
