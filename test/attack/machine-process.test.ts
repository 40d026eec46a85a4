/**
 * A QEMU that its guest has taken over: what it sees of the host, and how much of the host it can
 * use.
 *
 * Before: it ran as a user of its own, but in the host's namespaces: it saw every link, socket and
 * process of the host and every world-readable file, could connect to the host's loopback and to
 * abstract sockets, and had no limit of memory or threads.
 */
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProcesses } from '../../src/host/processes/processes.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type QemuFixture, startQemuFixture } from '../kit/machines.ts'

const FIRST_USER = 1_900_000_000

describe.skipIf(!canRunMachines())('a compromised QEMU (needs root and QEMU)', () => {
  let ground: QemuFixture
  let want: InstanceWant
  let pid = 0
  let reach: readonly string[] = []

  beforeAll(async () => {
    const { kernelPath, initrdPath, location } = await tinyGuest()
    ground = await startQemuFixture([dirname(kernelPath), dirname(initrdPath)])
    want = await ground.prepare(1, location)
    const found = await ground.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${location} is ${found.kind}`)
    await ground.freshDriver().launch(want, found.digest, AbortSignal.timeout(120_000))
    const homes = await createMachineFiles(ground.stateDir).homes()
    pid = (await findProcesses(homes, FIRST_USER)).get(want.id) ?? 0
    const user = String((await stat(`/proc/${pid}`)).uid)
    const spaces = [`--target=${pid}`, '--mount', '--net', '--ipc', '--uts', '--root', '--wd=/']
    const become = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--']
    reach = ['nsenter', ...spaces, '--', ...become]
  }, 180_000)
  afterAll(() => ground.close(), 120_000)

  const inside = (command: string) => ground.netns.run([...reach, 'sh', '-c', command])

  it.each(['net', 'ipc', 'uts', 'mnt'])('has a %s namespace of its own', async (kind) => {
    const own = await readlink(`/proc/${pid}/ns/${kind}`)
    expect(own).not.toBe(await readlink(`/proc/self/ns/${kind}`))
    expect(own).not.toBe(await readlink(`/proc/${ground.netns.pid}/ns/${kind}`))
  })

  it('sees no link but a loopback that is down, and no socket of the host', async () => {
    const links = (await readFile(`/proc/${pid}/net/dev`, 'utf8')).split('\n').slice(2)
    expect(
      links.filter((line) => line.includes(':')).map((line) => line.split(':')[0]?.trim()),
    ).toEqual(['lo'])
    const { stdout } = await inside('cat /proc/net/unix | tail -n +2')
    expect(stdout).toBe('')
  })

  it('sees no file of the host but its programs, and can write none', async () => {
    expect((await readdir(`/proc/${pid}/root/`)).toSorted()).toEqual([
      'bin',
      'dev',
      'lib',
      'lib64',
      'proc',
      'sbin',
      'usr',
    ])
    for (const path of ['/etc/passwd', '/var/lib', '/run', '/sys', '/tmp', '/home'])
      expect((await inside(`ls ${path}`)).exitCode, path).not.toBe(0)
    expect((await inside('echo x >/x || echo x >/dev/x || echo x >/usr/x')).exitCode).not.toBe(0)
  })

  it('sees no process of the host', async () => {
    expect((await inside('cat /proc/1/cmdline')).exitCode).not.toBe(0)
    const { stdout } = await inside('for p in /proc/[0-9]*; do cat $p/cmdline; done')
    expect(stdout).not.toContain('vitest')
    expect(stdout).toContain('qemu')
  })

  it('has no rights, gets none, and has a filter of system calls', async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(status).toMatch(/^Seccomp:\s+2$/m)
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
      expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
    expect(status).toMatch(/^Groups:\s*$/m)
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
    expect(limits).toMatch(/^Max core file size\s+0 /m)
    expect(limits).toMatch(/^Max open files\s+256 /m)
  })

  it('has a group of its own with limits of memory and threads', async () => {
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8')
    const fileOf = (controller: string, name: string, unified: string) => {
      const path = new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(groups)?.[1]
      return path === undefined
        ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1]}/${unified}`
        : `/sys/fs/cgroup/${controller}${path}/${name}`
    }
    const memory = await readFile(fileOf('memory', 'memory.limit_in_bytes', 'memory.max'), 'utf8')
    expect(Number(memory)).toBeGreaterThan(want.type.memoryMiB * 1024 ** 2)
    expect(Number(memory)).toBeLessThan(want.type.memoryMiB * 1024 ** 2 + 1024 ** 3)
    const threads = await readFile(fileOf('pids', 'pids.max', 'pids.max'), 'utf8')
    expect(Number(threads)).toBeLessThan(256)
  })

  it('fills no disk with its output', async () => {
    const files = createMachineFiles(ground.stateDir)
    const { log, console: serial } = files.paths(want.id)
    for (const file of [log, serial])
      await writeFile(file, 'x'.repeat(8 * 1024 ** 2), { flag: 'a' })
    const driver = ground.freshDriver()
    const small = async () => {
      await driver.list({ fresh: false, signal: AbortSignal.timeout(60_000) })
      const sizes = await Promise.all([log, serial].map(async (file) => (await stat(file)).size))
      return sizes.every((size) => size < 1024 ** 2)
    }
    await eventually('its files are short', small, 60_000)
    expect((await stat(join(dirname(serial), 'console.log.1'))).size).toBeLessThanOrEqual(1024 ** 2)
  })
})
