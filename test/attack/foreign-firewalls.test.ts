/**
 * Other firewalls of the host are started, reloaded and stopped: ufw and firewalld as Debian
 * packages them, in a mount namespace of their own.
 *
 * `doctor` names what they drop of instances' traffic, its fix lets everything through again, our
 * rules are repaired at once, and theirs are not changed. All of it held when it was first tried.
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRepairLoop } from '../../src/agent/repair.ts'
import { configSchema } from '../../src/config.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { checkForeignFirewall } from '../../src/operator/doctor-firewall.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { unpackedPackages } from '../kit/debian-packages.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  TEST_GATEWAY,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const DEADLINE_MS = 60_000
const { network, store, runtimeDir } = configSchema.parse({ runtimeDir: '/run/no-atoll' })
/** Of a host that is not alone. */
const CONFIG = { network, runtimeDir, store: { ...store, kind: 'mariadb' } } as const
const ALICE = testInstance(11, [1])
const BOB = testInstance(12, [1])
const want = testWant(ALICE, BOB)

/**
 * Their files over the machine's, and nothing of the machine's is written to. The rest is what the
 * packages' scripts do.
 */
const HOME = `
P=${unpackedPackages()}
mount -t tmpfs none /mnt; mkdir -p /mnt/etc /mnt/work /mnt/usr
cp -a $P/lib /mnt/usr/lib
mount -t overlay -o lowerdir=/mnt/usr:$P/usr:/usr none /usr
mount -t overlay -o lowerdir=$P/etc:/etc,upperdir=/mnt/etc,workdir=/mnt/work none /etc
mount -t tmpfs none /run; mkdir -p /run/dbus /run/firewalld
mount -t tmpfs none /var/log
cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/ufw.conf /etc/ufw/
cat >/mnt/bus.conf <<X
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
X
setpriv --pdeathsig KILL $P/usr/bin/dbus-daemon --config-file=/mnt/bus.conf --nofork --nopidfile &
echo ready
wait
`
/** Answers whoever asks at the gateway, as the resolver does. */
const RESOLVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${TEST_GATEWAY}", 53))
print("ready", flush=True)
while True:
    data, source = s.recvfrom(100)
    s.sendto(data, source)
`
const ASK = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.sendto(b"x", ("${TEST_GATEWAY}", 53))
s.recvfrom(100)
`

const areThere = existsSync(`${unpackedPackages()}/usr/sbin/ufw`)

let testbed: Testbed
let alice: Netns
let holder = 0
let endRepair: () => Promise<void>

beforeAll(async () => {
  if (!areThere)
    return void process.stdout.write('not run: ufw and firewalld could not be fetched\n')
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  await testbed.plug(BOB)
  let said = ''
  const child = testbed.machine.spawn(['unshare', '--mount', 'sh', '-ec', HOME], (text) => {
    said += text
  })
  await eventually('their home is ready', () => said.includes('ready'), DEADLINE_MS)
  holder = child.pid ?? 0
  let resolver = ''
  testbed.machine.spawn(['python3', '-c', RESOLVER], (text) => {
    resolver += text
  })
  await eventually('the resolver listens', () => resolver.includes('ready'), DEADLINE_MS)
  endRepair = startRepairLoop({
    services: testbed.services,
    want: async () => want,
    watchKernel: (heard) => testbed.host.watchKernel(heard),
    clock: systemClock,
    log: silentLog,
    metrics: testbed.metrics,
  })
}, 120_000)

afterAll(async () => {
  await endRepair?.()
  await testbed?.destroy()
})

/** Runs a command where these firewalls are installed. */
async function there(command: string): Promise<string> {
  const argv = ['nsenter', '--mount', `--target=${holder}`, 'sh', '-ec', command]
  const { exitCode, stdout, stderr } = await testbed.machine.run(argv, { timeoutMs: DEADLINE_MS })
  if (exitCode !== 0) throw new Error(`${command}: ${stderr}${stdout}`)
  return stdout
}

async function works(): Promise<Readonly<Record<string, boolean>>> {
  const does = async (argv: readonly string[]) => (await alice.run(argv)).exitCode === 0
  const [dns, neighbour, world] = await Promise.all([
    does(['python3', '-c', ASK]),
    does(['ping', '-c1', '-W1', '172.31.0.12']),
    does(['ping', '-c1', '-W1', OUTSIDE_ADDRESS]),
  ])
  return { dns, neighbour, world }
}

const ALL = { dns: true, neighbour: true, world: true }

/** Everything works, or `doctor` names what is in the way. */
async function worksOrIsNamed(name: RegExp): Promise<string> {
  await eventually('ours are there', ourRulesHold, DEADLINE_MS)
  let how: 'works' | 'is named' | null = null
  // On a busy machine an answer may be late although nothing is in its way.
  const isEither = async () => {
    const verdict = await checkForeignFirewall(CONFIG)
    const isNamed = verdict.result === 'fail' && name.test(JSON.stringify(verdict))
    how = Object.values(await works()).every(Boolean) ? 'works' : isNamed ? 'is named' : null
    return how !== null
  }
  await eventually(`it works, or doctor names ${name}`, isEither, DEADLINE_MS)
  return String(how)
}

/** Ours are all there. */
async function ourRulesHold(): Promise<boolean> {
  const tables = await testbed.machine.must(['nft', 'list', 'tables'])
  return ['inet atoll', 'arp atoll', 'inet atoll_guard', 'inet atoll_budgets'].every((table) =>
    tables.includes(`table ${table}\n`),
  )
}

/** A pass that looks at everything changes nothing of these. */
async function expectUnharmed(list: string): Promise<void> {
  const before = await there(list)
  expect(before.length).toBeGreaterThan(1_000)
  await testbed.pass(want, { resync: true })
  expect(await there(list)).toBe(before)
}

test.skipIf(!areThere)('before them everything works', async () => {
  await eventually('it works', async () => isDeepStrictEqual(await works(), ALL), DEADLINE_MS)
})

test.skipIf(!areThere)(
  'ufw',
  async () => {
    const list = 'iptables -S'
    await there('ufw --force enable')
    expect(await worksOrIsNamed(/ufw|INPUT/)).toBe('is named')
    await expectUnharmed(list)
    // What doctor says is to be done.
    await there(
      'ufw allow in on at-h+; ufw route allow in on at-h+; ufw route allow out on at-h+; ufw reload',
    )
    expect(await worksOrIsNamed(/ufw/)).toBe('works')
    expect(await checkForeignFirewall(CONFIG)).toEqual({
      result: 'ok',
      fix: null,
      found: 'no other firewall drops packets of instances',
    })
    await expectUnharmed(list)
    await there('ufw --force disable')
    expect(await worksOrIsNamed(/ufw/)).toBe('works')
  },
  180_000,
)

test.skipIf(!areThere)(
  'firewalld',
  async () => {
    const list = 'nft -s list table inet firewalld'
    const daemon = testbed.machine.spawn([
      ...['nsenter', '--mount', `--target=${holder}`],
      ...['firewalld', '--nofork', '--nopid'],
    ])
    const isUp = async () => (await there('firewall-cmd --state || true')).includes('running')
    await eventually('it runs', isUp, DEADLINE_MS)
    expect(await worksOrIsNamed(/firewalld/)).toBe('is named')
    await expectUnharmed(list)
    const { fix } = await checkForeignFirewall(CONFIG)
    expect(fix).toContain('--zone=trusted --add-interface=at-h+')
    await there(fix ?? '')
    expect(await worksOrIsNamed(/firewalld/)).toBe('works')
    expect(await checkForeignFirewall(CONFIG)).toEqual({
      result: 'ok',
      fix: null,
      found: 'no other firewall drops packets of instances',
    })
    await expectUnharmed(list)
    const ended = once(daemon, 'exit')
    daemon.kill('SIGTERM')
    await ended
    expect(await worksOrIsNamed(/firewalld/)).toBe('works')
  },
  180_000,
)
