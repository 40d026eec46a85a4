/**
 * Root in a container against the host, and against what all containers of a host share.
 *
 * Before: its uid 0 was the host's uid 0, so it could change each host file or kernel interface
 * that it could name; NET_ADMIN was given to any image whose command is called `/init`; it could
 * make devices and namespaces; and it could use 8,192 processes, all inotify instances of the host
 * and as many open files as the engine.
 */
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { containerName } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const CALM = 'trap "exit 0" TERM; until [ -e /end ]; do sleep 0.1; done'
const SIGNAL = AbortSignal.timeout(600_000)

interface Guest {
  readonly machine: DockerMachine
  readonly driver: WorkloadDriver
  readonly want: InstanceWant
  readonly pid: number
  /** What a shell command inside says, and whether it succeeded. */
  attempt(command: string): Promise<string>
}

async function startGuest(sharesRoot: boolean, location: string): Promise<Guest> {
  const machine = await startDockerMachine({ sharesRoot })
  await machine.engine.makeImage('attack:1', { Cmd: ['/bin/sh', '-c', CALM] })
  const want = await machine.prepare(1, location)
  const found = await machine.settle(want.image)
  if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
  const driver = machine.freshDriver()
  await driver.launch(want, found.digest, SIGNAL)
  await eventually('it answers', () => machine.answers(want), 60_000)
  const { State } = await machine.engine.docker.getContainer(containerName(want.id)).inspect()
  const attempt = (command: string) =>
    machine.inside(want, `( ${command} ) 2>&1 && echo SUCCEEDED || echo DENIED`)
  return { machine, driver, want, pid: State.Pid, attempt }
}

async function statusOf(pid: number, field: string): Promise<string> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? ''
}

/**
 * A file of the group of a process that counts its processes, whichever version of cgroups is
 * mounted.
 */
async function processGroup(pid: number, file: string): Promise<string> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8')
  const path = /^\d+:pids:(.*)$/m.exec(groups)?.[1]
  const dir = path === undefined ? /^0::(.*)$/m.exec(groups)?.[1] : `/pids${path}`
  return (await readFile(`/sys/fs/cgroup${dir}/${file}`, 'utf8')).trim()
}

/** The bit of a capability (linux/capability.h). */
const CAPABILITIES = { NET_ADMIN: 12n, NET_RAW: 13n, MKNOD: 27n } as const

async function has(pid: number, capability: keyof typeof CAPABILITIES): Promise<boolean> {
  const bounding = BigInt(`0x${await statusOf(pid, 'CapBnd')}`)
  return (bounding & (1n << CAPABILITIES[capability])) !== 0n
}

describe.skipIf(!canRunDocker())('root of a container (needs root)', () => {
  let guest: Guest
  const secret = join(tmpdir(), `atoll-attack-secret-${process.pid}`)

  beforeAll(async () => {
    await writeFile(secret, 'of the host\n', { mode: 0o600 })
    guest = await startGuest(false, 'docker://attack:1')
  }, 120_000)
  afterAll(async () => {
    await guest.machine.close()
    await rm(secret, { force: true })
  }, 120_000)

  it('is an ordinary user of the host', async () => {
    expect((await stat(`/proc/${guest.pid}`)).uid).toBeGreaterThan(65_535)
    expect(await statusOf(guest.pid, 'Uid')).not.toMatch(/^0\t/)
  })

  it('cannot read a file of the host’s root, though it could name it', async () => {
    // A descriptor that leaked is the shortest of ways out (CVE-2024-21626); what it is worth, the
    // user number decides.
    const { uid } = await stat(`/proc/${guest.pid}`)
    const reach = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
    const read = await guest.machine.netns.run([...reach, 'cat', secret])
    expect(read.exitCode).not.toBe(0)
    const wrote = await guest.machine.netns.run([...reach, 'sh', '-c', `echo x >>${secret}`])
    expect(wrote.exitCode).not.toBe(0)
    expect(await readFile(secret, 'utf8')).toBe('of the host\n')
  })

  it.each([
    ['make a device', 'mknod /tmp/disk b 254 0 && dd if=/tmp/disk of=/dev/null bs=512 count=1'],
    ['mount', 'mount -t tmpfs none /mnt'],
    ['write a setting of the kernel', 'echo 0 >/proc/sys/kernel/panic'],
    ['write where it may mount over', 'echo x >/sys/kernel/uevent_helper'],
    ['crash the host', 'echo c >/proc/sysrq-trigger'],
    ['make namespaces', 'unshare -U true'],
    ['change its kit', 'echo x >/.atoll/enter'],
    ['raise its own limits', 'echo 999999 >/proc/sys/user/max_inotify_instances'],
    ['raise its open files', 'ulimit -n 1000000'],
    ['change its network', 'ip link set eth0 mtu 1400'],
    ['leave its group', 'mkdir /sys/fs/cgroup/pids/x'],
  ])('cannot %s', async (_what, command) => {
    expect(await guest.attempt(command)).toContain('DENIED')
  })

  it('has a fork bomb that ends at its own limit', async () => {
    const most = Number(await processGroup(guest.pid, 'pids.max'))
    expect(most).toBeLessThan(1024)
    await guest.attempt(`n=0; while [ $n -lt ${2 * most} ]; do sleep 3 & n=$((n+1)); done`)
    expect(await processGroup(guest.pid, 'pids.events')).toMatch(/^max [1-9]/)
    const few = async () => Number(await processGroup(guest.pid, 'pids.current')) < most / 2
    await eventually('the bomb has burnt out', few, 60_000)
  })

  it('has inotify instances and watches of its own, no more than its part', async () => {
    const read = (name: string) => guest.machine.inside(guest.want, `cat /proc/sys/user/${name}`)
    expect(Number(await read('max_inotify_instances'))).toBeLessThan(128)
    expect(Number(await read('max_inotify_watches'))).toBeLessThan(2000)
    expect(Number(await read('max_user_namespaces'))).toBe(0)
  })

  it('leaves no memory of a crash on the host’s disk', async () => {
    expect(await guest.machine.inside(guest.want, 'ulimit -c')).toBe('0\n')
  })
})

describe.skipIf(!canRunDocker())(
  'root of a container on an engine that is not ours (needs root)',
  () => {
    let guest: Guest

    beforeAll(async () => {
      guest = await startGuest(true, 'docker://atoll-sample:latest')
    }, 120_000)
    afterAll(() => guest.machine.close(), 120_000)

    it('has no right over the network, though its image asks for DHCP', async () => {
      expect(await has(guest.pid, 'NET_ADMIN')).toBe(false)
      expect(await guest.attempt('ip link set eth0 down')).toContain('DENIED')
      await eventually('it answers', () => guest.machine.answers(guest.want))
    })

    it('creates no devices and no raw packets, and gives no process more rights', async () => {
      expect(await has(guest.pid, 'MKNOD')).toBe(false)
      expect(await has(guest.pid, 'NET_RAW')).toBe(false)
      expect(await statusOf(guest.pid, 'NoNewPrivs')).toBe('1')
    })
  },
)
