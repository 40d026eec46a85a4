/**
 * A Ceph cluster of a test's own: one monitor and one OSD in a network namespace, without a
 * manager. The test's thread moves into the namespace. `host` makes a further one with an address
 * of its own.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CephAccess } from '../../src/host/ceph/commands.ts'
import { type CephPoolSettings, initCephPool } from '../../src/host/ceph/looks.ts'
import { type CephPool, createCephPool } from '../../src/host/ceph/pool.ts'
import type { CephFences } from '../../src/host/ceph/refusals.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Runner, systemRunner } from '../../src/lib/runner.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { cephEnvironment } from './ceph-packages.ts'

const run = promisify(execFile)
const SERVER = '10.91.0.1'
const UP_MS = 120_000
const CLOUD = '00112233445566aa'

/** A new pool, which is a storage. */
export interface CephFixture {
  readonly settings: CephPoolSettings
  readonly storage: string
  /** As a daemon has it. `runner`: of another host. */
  open(fences?: Partial<CephFences>, runner?: Runner): CephPool
  remove(): Promise<void>
}

export interface CephCluster {
  readonly netns: Netns
  /** Runs `ceph` as the administrator. */
  ceph(...args: readonly string[]): Promise<string>
  /** A new pool and a user of it, who has the rights that docs/shared-storage.md names. */
  pool(): Promise<CephAccess>
  fixture(): Promise<CephFixture>
  /** Connects a namespace, with this last number of its address. Returns the address. */
  join(other: Netns, n: number): Promise<string>
  /** Connects a bridge in the namespace with this name. */
  joinBridge(netns: string, bridge: string): Promise<void>
  /** A new namespace that is connected so. */
  host(
    n: number,
  ): Promise<{ readonly netns: Netns; readonly address: string; readonly run: Runner }>
  close(): Promise<void>
}

/** Starts one, at this address of a network of 256. It takes half a minute. */
export async function startCeph(server = SERVER): Promise<CephCluster> {
  const environment = await cephEnvironment()
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, environment)
  const netns = await createNetns('ceph')
  const leave = netns.enter()
  const dir = await mkdtemp(join(tmpdir(), 'atoll-ceph-'))
  const conf = join(dir, 'ceph.conf')
  const admin = join(dir, 'admin.keyring')
  const others: Netns[] = []
  const ceph = (...args: readonly string[]) =>
    netns.must(['ceph', '--conf', conf, '--keyring', admin, '--connect-timeout', '20', ...args])
  const close = async () => {
    for (const other of others) await other.destroy()
    leave()
    await netns.destroy()
    await rm(dir, { recursive: true, force: true })
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
  try {
    await netns.must(['sh', '-c', bridgeAt(server)])
    const libraries = environment['CEPH_LIBRARIES'] ?? ''
    await startMonitor(netns, { dir, conf, admin, server, libraries })
    await startOsd(netns, { dir, conf }, ceph)
    await ceph('osd', 'set-require-min-compat-client', 'mimic')
  } catch (error) {
    await close()
    throw error
  }
  async function connect(other: Netns, n: number): Promise<string> {
    const address = server.replace(/\d+$/, String(n))
    await netns.must(['sh', '-c', `ip link add h${n} type veth peer name eth0 netns ${other.pid}`])
    await netns.must(['sh', '-c', `ip link set h${n} master br0 up`])
    await other.must(['sh', '-c', `ip addr add ${address}/24 dev eth0 && ip link set eth0 up`])
    return address
  }
  let pools = 0
  async function pool(): Promise<CephAccess> {
    pools += 1
    const name = `test${pools}`
    const user = `atoll${pools}`
    const keyring = join(dir, `ceph.client.${user}.keyring`)
    await ceph('osd', 'pool', 'create', name, '8')
    await ceph('osd', 'pool', 'set', name, 'size', '1', '--yes-i-really-mean-it')
    await ceph('osd', 'pool', 'application', 'enable', name, 'rbd')
    const caps = ['mon', CAPS_MON, 'osd', `profile rbd pool=${name}`]
    await ceph('auth', 'get-or-create', `client.${user}`, ...caps, '-o', keyring)
    return { pool: name, user, conf, keyring }
  }
  return {
    ...{ netns, ceph, pool },
    join: connect,
    async joinBridge(other, bridge) {
      const ends = `type veth peer name lab0 netns ${netns.pid}`
      await run('ip', ['-n', other, ...`link add ceph ${ends}`.split(' ')])
      await run('ip', ['-n', other, ...`link set ceph master ${bridge} up`.split(' ')])
      await netns.must(['ip', 'link', 'set', 'lab0', 'master', 'br0', 'up'])
    },
    async fixture() {
      const settings = { ...(await pool()), cloud: CLOUD, host: 'a' }
      const storage = await initCephPool(settings, systemRunner, '0123456789abcdef')
      return {
        settings,
        storage,
        open: (fences = {}, runner = systemRunner) =>
          createCephPool(settings, {
            ...{ run: runner, clock: systemClock, log: silentLog, newId },
            fences: { list: async () => [], restore: async () => undefined, ...fences },
          }),
        // The cluster goes with the test.
        remove: async () => undefined,
      }
    },
    async host(n) {
      const other = await createNetns(`ceph-host-${n}`)
      others.push(other)
      const address = await connect(other, n)
      const enter = ['--net', `--target=${other.pid}`, '--']
      return {
        netns: other,
        address,
        run: (program, args, options) =>
          systemRunner('nsenter', [...enter, program, ...args], options),
      }
    },
    close,
  }
}

const newId = () => randomUUID().replaceAll('-', '')

/** What docs/shared-storage.md tells the operator. */
const CAPS_MON = 'profile rbd, allow command "osd blocklist"'
const bridgeAt = (server: string) =>
  `ip link add br0 type bridge && ip addr add ${server}/24 dev br0 && ip link set br0 up`

interface Place {
  readonly dir: string
  readonly conf: string
}
interface MonitorPlace extends Place {
  readonly admin: string
  readonly server: string
  readonly libraries: string
}

async function startMonitor(netns: Netns, place: MonitorPlace): Promise<void> {
  const { dir, conf, admin, server } = place
  const fsid = randomUUID()
  await writeFile(conf, configuration(place, fsid))
  const all = join(dir, 'mon.keyring')
  const map = join(dir, 'monmap')
  const of = (file: string, name: string) => ['--create-keyring', file, '--gen-key', '-n', name]
  const caps = ['--cap', 'mon', 'allow *']
  await run('ceph-authtool', [...of(all, 'mon.'), ...caps])
  await run('ceph-authtool', [...of(admin, 'client.admin'), ...caps, '--cap', 'osd', 'allow *'])
  await run('ceph-authtool', [all, '--import-keyring', admin])
  const where = `[v2:${server}:3300,v1:${server}:6789]`
  await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', where, map])
  await run('ceph-mon', ['--mkfs', '-i', 'a', '--conf', conf, '--monmap', map, '--keyring', all])
  keep(netns, ['ceph-mon', '-i', 'a', '--conf', conf, '-f'])
}

async function startOsd(
  netns: Netns,
  { dir, conf }: Place,
  ceph: CephCluster['ceph'],
): Promise<void> {
  const uuid = randomUUID()
  await mkdir(join(dir, 'osd'))
  await eventually(
    'a monitor',
    async () => (await ceph('osd', 'create', uuid)).trim() === '0',
    UP_MS,
  )
  const caps = ['mon', 'allow profile osd', 'osd', 'allow *']
  await ceph('auth', 'get-or-create', 'osd.0', ...caps, '-o', join(dir, 'osd', 'keyring'))
  const first = ['-i', '0', '--conf', conf, '--mkfs', '--osd-uuid', uuid]
  await run('ceph-osd', first, { timeout: UP_MS })
  keep(netns, ['ceph-osd', '-i', '0', '--conf', conf, '-f'])
  await eventually(
    'an OSD',
    async () => (JSON.parse(await ceph('osd', 'dump', '--format', 'json')).osds[0]?.up ?? 0) === 1,
    UP_MS,
  )
}

/** Runs until the namespace is destroyed. */
function keep(netns: Netns, argv: readonly string[]): void {
  netns.spawn(argv)
}

function configuration({ dir, server, libraries }: MonitorPlace, fsid: string): string {
  return `[global]
fsid = ${fsid}
mon_host = [v2:${server}:3300,v1:${server}:6789]
mon_initial_members = a
public_network = ${server.replace(/\d+$/, '0')}/24
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
run_dir = ${dir}
log_file = ${dir}/$name.log
erasure_code_dir = ${libraries}/ceph/erasure-code
osd_class_dir = ${libraries}/rados-classes
plugin_dir = ${libraries}/ceph
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
mon_warn_on_pool_no_redundancy = false
[mon]
mon_data = ${dir}/mon
[osd]
osd_data = ${dir}/osd
osd_objectstore = bluestore
bluestore_block_size = 8589934592
osd_memory_target = 939524096
`
}
