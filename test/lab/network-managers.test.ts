/**
 * Someone else changes routes, policy rules, addresses and links of ours: by hand, or as the
 * machine's network manager. The kernel reports it, and they are restored at once. The files that
 * `scripts/install` writes for the managers prevent such changes.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { packageLibraries, unpackedPackages } from '../kit/debian-packages.ts'
import { missing, NO_UDEV, OWN_BUS } from '../kit/dhcp-clients.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const START_MS = 60_000
/** A repair takes a fraction of a second on an idle machine. */
const REPAIRED_MS = 20_000
const OURS = [
  'ip -4 rule show priority 167',
  'ip -4 route show table all proto 167 | sort',
  'ip -4 -o address show | grep -o "at-.*" | sort',
  'ip -o link show | grep -o "at-[^ ]*: <[^>]*> mtu [0-9]*" | sort',
  'ip neighbour show nud permanent | grep at-h',
  'grep . /proc/sys/net/ipv4/conf/at-h*/proxy_arp',
].join('; ')

let cloud: Cloud
let address = ''
let nic = ''
const ours = async () => (await cloud.netns.run(['sh', '-c', OURS])).stdout
const answers = async () => (await execute('ping', ['-c1', '-W1', address])).exitCode === 0

beforeAll(async () => {
  // Nothing but the kernel's word has it look within the test.
  cloud = await createCloud('managers', 'agent: {intervalSeconds: 300, resyncSeconds: 3600}\n')
  const ask = instanceCalls(cloud.ec2, START_MS)
  const image = await ask.register('static', 'docker://atoll-sample:static')
  const [id = ''] = await ask.launch(image)
  await ask.untilState(id, 'running')
  address = (await ask.look(id)).PrivateIpAddress ?? ''
  await eventually('it answers', answers, START_MS)
  const route = await cloud.netns.must(['ip', '-o', 'route', 'get', address])
  nic = /dev (at-h\S+)/.exec(route)?.[1] ?? ''
})
afterAll(() => cloud?.destroy())

describe('by hand', () => {
  it.each([
    ['routes flushed', 'ip route flush proto 167'],
    ['all routes flushed', 'ip route flush table main'],
    ['the policy rule deleted', 'ip rule del priority 167'],
    [
      'all policy rules flushed',
      'ip rule flush; ip rule add priority 32766 lookup main protocol kernel',
    ],
    ['a route turned elsewhere', 'ip route replace $ADDRESS/32 dev lo'],
    ['addresses flushed', 'ip address flush dev at-gw'],
    ['an address moved', 'ip address del 172.31.0.2/32 dev at-gw'],
    ['the gateway down', 'ip link set at-gw down'],
    ['the gateway gone', 'ip link delete at-gw'],
    ['a NIC down', 'ip link set $NIC down'],
    ['another MTU', 'ip link set $NIC mtu 1280'],
    ['its neighbour gone', 'ip neighbour flush dev $NIC nud permanent'],
    ['proxy ARP off', 'echo 0 > /proc/sys/net/ipv4/conf/$NIC/proxy_arp'],
  ])('%s', async (_what, damage) => {
    const before = await ours()
    expect(before).toContain(nic)
    await cloud.netns.must(['sh', '-ec', `ADDRESS=${address} NIC=${nic}\n${damage}`])
    await eventually('it is repaired', async () => (await ours()) === before, REPAIRED_MS)
    await eventually('it answers', answers, REPAIRED_MS)
  })
})

const networkd = `${unpackedPackages()}/lib/systemd/systemd-networkd`
const cannot = missing({ program: networkd })
if (cannot !== null) process.stderr.write(`skipped: network managers: ${cannot}\n`)

/**
 * Starts a manager in the host's namespace, with what `scripts/install` leaves when that is wished;
 * ends it when `work` is over.
 */
async function withManager<T>(
  { start, notes }: { readonly start: string; readonly notes: boolean },
  work: (home: string, pid: number) => Promise<T>,
): Promise<T> {
  const home = join(cloud.dir, `manager-${Math.random()}`)
  await mkdir(home)
  const write = `. ${ROOT}/scripts/lib-network.sh; tell_network_managers() { :; }; write_network_notes /run`
  const script = [
    `exec > ${home}/said 2>&1`,
    'mount --make-rprivate /',
    'mount -t tmpfs tmpfs /run',
    NO_UDEV,
    ...(notes ? [`bash -euc '${write}'`] : []),
    start,
  ].join('\n')
  const manager = cloud.netns.spawn(['unshare', '--mount', '--uts', 'sh', '-ec', script])
  try {
    return await work(home, manager.pid ?? 0)
  } catch (cause) {
    throw new Error(`with a manager that said: ${(await saidBy(home)).slice(-2000)}`, { cause })
  } finally {
    manager.kill('SIGKILL')
  }
}

const saidBy = (home: string) => readFile(`${home}/said`, 'utf8').catch(() => '')

/** What became of anything of ours while `work` lasted. */
async function deletedWhile(work: () => Promise<void>): Promise<readonly string[]> {
  let said = ''
  const monitor = cloud.netns.spawn(
    ['stdbuf', '-oL', 'ip', '-4', 'monitor', 'route', 'rule', 'address', 'link'],
    (text) => {
      said += text
    },
  )
  const mark = ['ip', 'link', 'set', 'lo', 'alias']
  await eventually('the monitor listens', async () => {
    await cloud.netns.must([...mark, `m${Date.now()}`])
    return said !== ''
  })
  await work()
  monitor.kill()
  return said
    .split('\n')
    .filter((line) => /^Deleted .*(at-|proto 167|lookup|unreachable)/.test(line))
}

const NETWORKD = `
{ grep -v ^systemd-network: /etc/passwd; echo 'systemd-network:x:998:998::/:/bin/false'; } > /run/users
mount --bind /run/users /etc/passwd
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R 998:998 /run/systemd/netif
printf '%s\\n' '[Match]' Name=other '[Network]' Address=203.0.113.9/24 IPv6AcceptRA=no LinkLocalAddressing=no > /run/systemd/network/50-other.network
exec env ${packageLibraries()} SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console ${networkd}`

describe.skipIf(cannot !== null)('systemd-networkd', () => {
  const everyLink =
    "printf '%s\\n' '[Match]' 'Name=*' '[Network]' DHCP=ipv4 > /run/systemd/network/60-all.network"

  /** Gives it a link to configure, which is when it looks at what else there is. */
  const configures = async (home: string) => {
    const says = (text: string) => async () => (await saidBy(home)).includes(text)
    await eventually('it is at work', says('Enumeration completed'), START_MS)
    await cloud.netns.must(['ip', 'link', 'add', 'other', 'type', 'bridge'])
    await eventually(
      'it has done so',
      says('other: State changed: configuring -> configured'),
      START_MS,
    )
    await cloud.netns.must(['ip', 'link', 'delete', 'other'])
  }

  it('removes what it does not know, and that comes back', async () => {
    const before = await ours()
    const deleted = await deletedWhile(() =>
      withManager({ start: NETWORKD, notes: false }, async (home) => {
        await configures(home)
        await eventually('it is repaired', async () => (await ours()) === before, REPAIRED_MS)
      }),
    )
    expect(deleted).not.toEqual([])
    await eventually('the instance answers', answers, REPAIRED_MS)
  })

  it.each([
    ['a link of its own', ''],
    ['every link there is', everyLink],
  ])('with our configuration files it removes nothing, where it has %s', async (_what, more) => {
    const before = await ours()
    const start = `mkdir -p /run/systemd/network\n${more}\n${NETWORKD}`
    const deleted = await deletedWhile(() => withManager({ start, notes: true }, configures))
    expect(deleted).toEqual([])
    expect(await ours()).toBe(before)
  })
})

describe.skipIf(cannot !== null)('NetworkManager', () => {
  const start = `${OWN_BUS}mkdir -p /run/NetworkManager/conf.d /run/nm
printf '%s\\n' '[main]' plugins=keyfile rc-manager=unmanaged '[keyfile]' path=/run/nm unmanaged-devices=interface-name:other > /run/nm.conf
mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/NetworkManager
exec env ${packageLibraries()} ${unpackedPackages()}/usr/sbin/NetworkManager --no-daemon --config=/run/nm.conf`

  it('with our configuration files it manages no link of ours, and its other settings hold', async () => {
    const before = await ours()
    await cloud.netns.must(['ip', 'link', 'add', 'other', 'type', 'bridge'])
    await withManager({ start, notes: true }, async (_home, pid) => {
      const shown = async () => {
        const nmcli = `env ${packageLibraries()} ${unpackedPackages()}/usr/bin/nmcli -t -f DEVICE,STATE device`
        const inside = ['nsenter', `--target=${pid}`, '--mount', '--net', 'sh', '-c', nmcli]
        return (await cloud.netns.run(inside)).stdout.trim().split('\n')
      }
      await eventually('it is at work', async () => (await shown()).length > 3, START_MS)
      const managed = (await shown()).filter((line) => !line.endsWith(':unmanaged'))
      expect(managed.filter((line) => /^(at-|other)/.test(line))).toEqual([])
      expect(managed.some((line) => line.startsWith('outside:'))).toBe(true)
    })
    expect(await ours()).toBe(before)
  })
})
