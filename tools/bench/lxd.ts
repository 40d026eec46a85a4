/**
 * LXD for comparison: its own daemon in the benchmark's namespace, with a directory pool, a bridge
 * with DHCP, and the busybox root file system of Atoll's sample image. Only where LXD is installed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execute } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** A new sysfs, so that LXD sees the links of this namespace, with the old one's cgroups in it. */
const START = `
mount --rbind /sys/fs/cgroup "$LXD_DIR/cgroup" && mount -t sysfs sysfs /sys && mount --rbind "$LXD_DIR/cgroup" /sys/fs/cgroup
exec lxd --group root
`
const SETTINGS = `
storage_pools: [{name: default, driver: dir}]
networks: [{name: lxdbr0, type: bridge, config: {ipv4.address: 10.77.0.1/24, ipv4.nat: "false", ipv6.address: none}}]
profiles:
- name: default
  devices:
    root: {path: /, pool: default, type: disk}
    eth0: {name: eth0, network: lxdbr0, type: nic}
`
const IMAGE = 'architecture: x86_64\ncreation_date: 1\nproperties: {description: busybox}\n'

export interface Lxd {
  /**
   * Milliseconds from `lxc launch` until the container has an address. It is removed outside that
   * time.
   */
  launch(): Promise<number>
  close(): Promise<void>
}

/** Starts LXD. Null where it is not installed. */
export async function startLxd(): Promise<Lxd | null> {
  if ((await execute('lxd', ['--version'])).exitCode !== 0) return null
  const dir = await mkdtemp(join(tmpdir(), 'atoll-lxd-'))
  await mkdir(join(dir, 'cgroup'))
  const env = { ...process.env, LXD_DIR: dir }
  const daemon = spawn('unshare', ['--mount', 'sh', '-c', START], { env, stdio: 'ignore' })
  const run = async (program: string, ...args: readonly string[]): Promise<string> => {
    const ran = await execute(program, args, { env })
    if (ran.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.stderr}`)
    return ran.stdout
  }
  const close = async () => {
    const ended = once(daemon, 'exit')
    daemon.kill('SIGTERM')
    await ended
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await run('lxd', 'waitready', '--timeout=60')
    await run('sh', '-c', `echo '${SETTINGS}' | lxd init --preseed`)
    await importImage(dir, run)
  } catch (error) {
    await close()
    throw error
  }
  return { close, launch: () => launch(run) }
}

type Run = (program: string, ...args: readonly string[]) => Promise<string>

async function importImage(dir: string, run: Run): Promise<void> {
  const rootfs = join(dir, 'image/rootfs')
  await mkdir(rootfs, { recursive: true })
  await writeFile(join(dir, 'image/metadata.yaml'), IMAGE)
  await run(join(ROOT, 'scripts/make-sample-image'), '--archive', join(dir, 'rootfs.tar'))
  await run('tar', '-C', rootfs, '-xf', join(dir, 'rootfs.tar'))
  await run(
    'tar',
    '-C',
    join(dir, 'image'),
    '-czf',
    join(dir, 'image.tar.gz'),
    'metadata.yaml',
    'rootfs',
  )
  await run('lxc', 'image', 'import', join(dir, 'image.tar.gz'), '--alias=busybox')
}

async function launch(run: Run): Promise<number> {
  const name = `bench-${process.pid}`
  const began = performance.now()
  await run('lxc', 'launch', '--quiet', 'busybox', name)
  const state = `/1.0/instances/${name}/state`
  await eventually(
    'LXD gave an address',
    async () => (await run('lxc', 'query', state)).includes('"10.77.'),
    30_000,
  )
  const ms = performance.now() - began
  await run('lxc', 'delete', '--force', name)
  return ms
}
