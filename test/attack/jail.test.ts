/**
 * What a parser can do from its sandbox after its input took it over.
 *
 * Before: qemu-img read the disks of guests as root in the daemon's own namespaces, and zlib ran
 * inside the daemon: each of these attempts succeeded there. Perl stands for the attacker's code;
 * the real programs run in the same sandbox.
 */
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gunzip } from '../../src/containers/gunzip.ts'
import { jailPath, letJailRead, letJailWrite, runJailed } from '../../src/host/processes/jail.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRunner } from '../../src/lib/runner.ts'

const LIMITS = { seconds: 20, memoryBytes: 512 * 1024 ** 2, fileBytes: 1024 ** 2 } as const
const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot)('a parser in the jail (needs root)', () => {
  let dir = ''

  async function attempt(program: string, args: readonly string[], files: readonly number[] = []) {
    const order = { program, args, files, limits: LIMITS }
    return await runJailed(systemRunner, order, { timeoutMs: 60_000 })
  }
  const perl = (code: string) => attempt('perl', ['-MSocket', '-e', code])

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'atoll-jail-'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  it.each([
    ['an IPv4 socket', 'socket(S, AF_INET, SOCK_STREAM, 0) or exit 1'],
    ['a UNIX socket', 'socket(S, AF_UNIX, SOCK_STREAM, 0) or exit 1'],
    ['a netlink socket', 'socket(S, 16, SOCK_RAW, 0) or exit 1'],
    ['the passwords', 'open(F, "/etc/shadow") or exit 1'],
    ['a descriptor of the daemon', 'open(F, "/proc/1/fd/0") or exit 1'],
    ['the daemon’s state', 'opendir(D, "/var/lib") or exit 1'],
    ['a file of its own', 'open(F, ">/usr/x") or open(F, ">/x") or open(F, ">/dev/x") or exit 1'],
    ['a user namespace', 'syscall(272, 0x10000000) == 0 or exit 1'],
    ['a user namespace by clone', 'syscall(56, 0x10000011, 0, 0, 0, 0) >= 0 or exit 1'],
    ['io_uring', 'my $p = "\\0" x 120; syscall(425, 8, $p) >= 0 or exit 1'],
    ['a keyring', 'syscall(250, 0, -3, 1) >= 0 or exit 1'],
    ['ptrace', 'syscall(101, 0, 0, 0, 0) == 0 or exit 1'],
    ['a file by handle', 'my $h = "\\0" x 200; syscall(304, 3, $h, 0) >= 0 or exit 1'],
    ['root again', '$> = 0; $> == 0 or exit 1'],
    [
      'more processes than it may have',
      'for (1 .. 100) { my $p = fork; defined $p or exit 1; $p or sleep 1, exit }',
    ],
    ['more memory than it may have', 'my $x = "x" x (1024 ** 3); exit 0'],
  ])('does not get %s', async (_what, code) => {
    expect((await perl(code)).exitCode).not.toBe(0)
  })

  it('gets no new privileges and no capabilities, and has a filter of system calls', async () => {
    const { stdout } = await attempt('cat', ['/proc/self/status'])
    expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(stdout).toMatch(/^Seccomp:\s+2$/m)
    expect(stdout).toMatch(/^CapBnd:\s+0+$/m)
    expect(stdout).not.toMatch(/^Uid:\s+0/m)
  })

  it('sees no link of the host, and no process', async () => {
    expect((await attempt('cat', ['/proc/net/dev'])).stdout).not.toMatch(/eth|veth|at-/)
    const { stdout } = await attempt('sh', ['-c', 'echo /proc/[0-9]*'])
    expect(stdout.trim().split(' ').length).toBeLessThan(6)
  })

  it('reads what it was given, cannot write it, and writes no more than it may', async () => {
    const source = join(dir, 'source')
    const target = join(dir, 'target')
    await writeFile(source, 'content', { mode: 0o600 })
    await using read = await open(source)
    await using write = await open(target, 'w', 0o600)
    await letJailRead(read)
    const files = [read.fd, write.fd]
    const copy = `cat <${jailPath(0)} >${jailPath(1)}; echo x >${jailPath(0)} || exit 7`
    const copied = await letJailWrite(write, () => attempt('sh', ['-c', copy], files))
    expect(copied.exitCode, copied.stderr).toBe(7)
    expect((await stat(target)).size).toBe(7)
    const fill = `head -c 9999999 /dev/zero >${jailPath(1)}; cat /dev/null`
    await letJailWrite(write, () => attempt('sh', ['-c', `yes >${jailPath(1)}; ${fill}`], files))
    expect((await stat(target)).size).toBeLessThanOrEqual(LIMITS.fileBytes)
    expect((await stat(target)).uid).toBe(0)
  })

  it('unpacks gzip, reports damage, and ends with its reader', async () => {
    const whole = Buffer.alloc(3_000_000, 'atoll')
    const packed = gzipSync(whole)
    const unpack = async (bytes: Buffer) => {
      const chunks: Buffer[] = []
      const signal = AbortSignal.timeout(60_000)
      await pipeline(
        [bytes],
        gunzip('x.gz', systemClock, signal),
        async (parts: AsyncIterable<Buffer>) => {
          for await (const part of parts) chunks.push(part)
        },
      )
      return Buffer.concat(chunks)
    }
    expect((await unpack(packed)).equals(whole)).toBe(true)
    await expect(unpack(packed.subarray(0, 1000))).rejects.toThrow('x.gz is damaged')
    const bomb = gzipSync(Buffer.alloc(200_000_000))
    const first = gunzip('bomb.gz', systemClock, AbortSignal.timeout(60_000))(chunksOf(bomb))
    for await (const chunk of first) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
  })
})

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
