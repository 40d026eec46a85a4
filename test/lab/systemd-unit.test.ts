/**
 * The units of the daemon (scripts/atolld*): systemd understands them, those of the parts without
 * root's rights have the least rights, and what scripts/atolld.service allows the agent suffices
 * for what it does. `units.test.ts` runs them.
 *
 * - System calls: systemd answers all others with EPERM. Without bpf(2) no NIC was ever locked, and
 *   only a line of the log said so.
 * - Names of VPCs' network namespaces: the daemon has a mount namespace of its own, in which files
 *   are read-only and that ends with it (systemd.exec(5), "ProtectSystem"), few capabilities and no
 *   new privileges. The names are the machine's: they outlive the daemon, the next one finds them,
 *   and when they go, no other service's mount namespace keeps one.
 */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { API_USER } from '../../src/model/names.ts'
import { fenceOrders } from '../../src/parts/fence-places.ts'
import { packageLibraries, unpackedPackages } from '../kit/debian-packages.ts'
import { readUnit } from '../kit/systemd-unit.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
const UNIT = readFileSync(join(ROOT, 'scripts/atolld.service'), 'utf8')
const ANALYZE = ['/usr/bin/systemd-analyze', `${unpackedPackages()}/usr/bin/systemd-analyze`].find(
  existsSync,
)
if (ANALYZE === undefined)
  process.stderr.write('skipped: the unit of the daemon: there is no systemd-analyze\n')

/** By whom each is called. */
const CALLS = {
  setns: 'host/network/netns.ts, and nsenter',
  unshare: 'host/network/netns.ts',
  mount: 'host/network/vpc-namespaces.ts',
  umount2: 'host/network/vpc-namespaces.ts',
  open_tree: 'mount(8)',
  move_mount: 'mount(8)',
  bpf: 'host/network/bpf.ts',
  pidfd_open: 'host/network/lost-namespaces.ts',
  pidfd_getfd: 'host/network/lost-namespaces.ts',
  ioctl: 'host/sockets/descriptors.ts',
  flock: 'host/files/directory-lock.ts',
  setpriority: 'parts/children.ts',
  sched_setscheduler: 'host/processes/scheduling.ts',
  setdomainname: 'host/processes/tables.ts',
  seccomp: 'host/processes/jail.ts',
  setresuid: 'host/processes/cell.ts',
} as const

/** Of the process `fence`, by whom each is called. */
const FENCE_CALLS = {
  sched_setscheduler: 'host/processes/real-time.ts',
  mlock2: 'host/processes/real-time.ts',
  setns: 'host/network/netns.ts',
  ioctl: 'host/watchdog.ts',
  pidfd_open: 'host/processes/guarded.ts',
  pidfd_send_signal: 'host/processes/guarded.ts',
} as const

const PROGRAM_LIBRARIES =
  ANALYZE?.startsWith('/usr/bin') === true ? '' : `env ${packageLibraries()} `

/** The system calls of a set. Its members are indented; sets among them begin with @. */
function callsOf(name: string): readonly string[] {
  const text = analyze(`syscall-filter --no-pager ${name}`)
  const words = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
  return words
    .filter((word) => word !== '' && !word.startsWith('#'))
    .flatMap((word) => (word.startsWith('@') ? callsOf(word) : [word]))
}

/** What systemd-analyze says. Throws with it when it finds a fault. */
function analyze(command: string, settings = ''): string {
  const words = `${settings} ${PROGRAM_LIBRARIES}${ANALYZE} ${command} 2>&1`
  return execFileSync('sh', ['-c', words], { encoding: 'utf8' })
}

/** All units, with a program that exists, while `work` runs. */
function withUnits<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'atoll-units-'))
  try {
    for (const name of readdirSync(join(ROOT, 'scripts')).filter((one) =>
      /^atolld.*\./.test(one),
    )) {
      const unit = readFileSync(join(ROOT, 'scripts', name), 'utf8')
      writeFileSync(join(directory, name), unit.replaceAll('/opt/atoll/current', ROOT))
    }
    return work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

it.skipIf(ANALYZE === undefined)('systemd understands every unit', () => {
  withUnits((directory) => {
    const said = analyze(`verify --man=no ${directory}/*`, `SYSTEMD_UNIT_PATH=${directory}:`)
    expect(said.split('\n').filter((line) => line.includes('atolld'))).toEqual([])
  })
})

/** systemd-analyze(1), "security": ten times what is said. */
const MOST_EXPOSED = 20

it.skipIf(ANALYZE === undefined).each(['atolld-services.service', 'atolld-api.service'])(
  '%s has the least rights',
  (name) => {
    const security = `security --offline=true --no-pager --threshold=${MOST_EXPOSED}`
    withUnits((directory) => {
      expect(analyze(`${security} ${directory}/${name}`)).toMatch(/Overall exposure level/)
    })
  },
)

it('ending or restarting one does not end another', () => {
  const propagating = /^(?:BindsTo|PartOf|PropagatesStopTo|Requisite|Upholds|Conflicts)=/m
  const units = ['atolld', 'atolld-services', 'atolld-api', 'atolld-fence'].map((name) =>
    readUnit(`${name}.service`),
  )
  for (const unit of units) {
    expect(unit.lines.map(([key]) => `${key}=`).join('\n')).not.toMatch(propagating)
    expect(unit.value('Restart')).toBe('always')
    expect(unit.words('Requires').filter((one) => !one.endsWith('.socket'))).toEqual([])
  }
})

it('have the same number of the API’s user everywhere', () => {
  const shell = readFileSync(join(ROOT, 'scripts/lib-units.sh'), 'utf8')
  expect(shell).toContain(`API_USER=${readUnit('atolld-api.service').value('User')} `)
  expect(shell).toContain(`API_USER_NUMBER=${API_USER}\n`)
})

it.skipIf(ANALYZE === undefined).each([
  ['atolld.service', CALLS],
  ['atolld-fence.service', FENCE_CALLS],
])('%s: every system call is allowed', (name, calls) => {
  const words = readUnit(name).words('SystemCallFilter')
  const allowed = new Set(words.flatMap((word) => (word.startsWith('@') ? callsOf(word) : [word])))
  expect(Object.keys(calls).filter((call) => !allowed.has(call))).toEqual([])
})

it('the agent may let others go first, and the parts have their places', () => {
  expect(readUnit('atolld.service').value('RestrictRealtime')).toBe('')
  const placeOf = (name: string) => {
    const unit = readUnit(name)
    return [Number(unit.value('Nice')), Number(unit.value('CPUWeight'))]
  }
  const names = ['atolld-services.service', 'atolld.service', 'atolld-api.service']
  const [services = [], agent = [], api = []] = names.map(placeOf)
  expect([services[0], agent[0], api[0]]).toEqual([-5, 0, 0])
  expect([services[1], agent[1], api[1]]).toEqual([1000, 500, 200])
})

it('the process fence may go before others and stay in memory, and is not ended with them', () => {
  const unit = readUnit('atolld-fence.service')
  expect(unit.value('RestrictRealtime')).toBe('')
  const capabilities = unit.words('CapabilityBoundingSet')
  expect(capabilities).toEqual(expect.arrayContaining(['CAP_SYS_NICE', 'CAP_IPC_LOCK']))
  expect(unit.value('DefaultDependencies')).toBe('no')
  // By these it stops what it guards, or leaves it to the next one.
  expect(unit.value('KillSignal')).toBe('')
  expect(unit.value('RestartKillSignal')).toBe('SIGHUP')
  // The same file is what the agent takes away first when it ends it.
  const orders = fenceOrders('/run/atoll')
  expect(unit.value('ConditionPathExists')).toBe(orders)
  expect(readUnit('atolld-fence.path').value('PathExists')).toBe(orders)
  expect(unit.value('WorkingDirectory')).toBe(dirname(orders))
})

it('no namespace is forbidden, and those of others see its mounts go', () => {
  expect(UNIT).not.toMatch(
    /^(RestrictNamespaces|PrivateNetwork|PrivateUsers|MountFlags|ProtectProc|PrivatePIDs)=/m,
  )
  for (const needed of ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE', 'CAP_SYS_CHROOT'])
    expect(/^CapabilityBoundingSet=(.*)$/m.exec(UNIT)?.[1]?.split(' ')).toContain(needed)
})

const BOUNDS = /^CapabilityBoundingSet=(.*)$/m.exec(UNIT)?.[1]?.split(' ') ?? []
const LIMIT_MS = 60_000

/** One run of a daemon: makes the namespace of VPC 7, or removes it, and ends. */
const DAEMON = `
const [, what] = process.argv
const { createLinuxHost } = await import('${ROOT}/src/host/linux.ts')
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const host = createLinuxHost({ log: silent })
if (what === 'make') console.log((await host.vpcs.ensure(7)).changed.filter((one) => one === 'namespace' || one === 'name').join())
else await host.vpcs.remove(7)
await host.close()
`
/** Process 1 of a machine with a service manager: what is mounted there is seen by services. */
const MACHINE = `
set -eu
mount --make-rshared /
mount -t tmpfs tmpfs /run
mount --make-shared /run
cat >/run/service <<'SERVICE'
mount -o remount,bind,ro /
exec setpriv --no-new-privs --bounding-set=-all,${BOUNDS.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`).join()} "$@"
SERVICE
service() { unshare --mount --propagation slave sh /run/service "$@"; }
daemon() { service ${process.execPath} --disable-warning=ExperimentalWarning --input-type=module -e "$0" "$1"; }
seen() { grep -c atoll-vpc-7 "/proc/$1/mountinfo" || true; }
daemon make
echo "here: $(seen self)"
stat --dereference --format=%i /run/netns/atoll-vpc-7 >/run/before
unshare --mount --propagation slave sh /run/service sleep infinity &
neighbour=$!
until [ "$(seen $neighbour)" != 0 ] && [ "$(readlink /proc/$neighbour/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.05; done
daemon make
stat --dereference --format=%i /run/netns/atoll-vpc-7 | cmp - /run/before && echo 'the same'
daemon remove
echo "left: $(ls /run/netns) here $(seen self), in a service $(seen $neighbour)"
kill $neighbour
`

it.skipIf(process.getuid?.() !== 0)(
  'are made, found and removed by a daemon that systemd has shut in',
  async () => {
    const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
    const { stdout } = await run('unshare', [...own, 'bash', '-c', MACHINE, DAEMON], {
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    })
    expect(stdout.trim().split('\n')).toEqual([
      'namespace',
      'here: 1',
      '',
      'the same',
      'left:  here 0, in a service 0',
    ])
  },
  LIMIT_MS,
)
