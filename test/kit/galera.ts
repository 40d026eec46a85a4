/**
 * A MariaDB Galera cluster for tests: each node is a server in a network namespace of its own, on a
 * bridge in one more namespace, where the clients are. A node can lose its power (its link goes
 * down first, so that clients get no error at all), its network, or its process, and come back.
 *
 * Needs root, and Debian's `mariadb-server`, `galera-4` and `rsync`.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  administer,
  copyData,
  initializeData,
  makeTestDirectory,
  runServerOnce,
  type Server,
  type ServerPlace,
  startServer,
} from '../../tools/kit/mariadb.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'

const PROVIDER = '/usr/lib/galera/libgalera_smm.so'
const PORT = 3306
/** Members notice a lost one within a second and are without it in three. */
const PROVIDER_OPTIONS = [
  'evs.keepalive_period=PT0.3S',
  'evs.join_retrans_period=PT0.3S',
  'evs.inactive_check_period=PT0.2S',
  'evs.suspect_timeout=PT1S',
  'evs.inactive_timeout=PT3S',
  'evs.install_timeout=PT3S',
  'gcache.size=16M',
].join(';')
const SYNC_TIMEOUT_MS = 60_000

export interface GaleraNode {
  /** `address:port`. */
  readonly address: string
  /** Ends its link, then its process: nobody is notified. */
  powerOff(): Promise<void>
  /** Ends its process; the kernel notifies its peers. */
  kill(): Promise<void>
  /** Starts it again as a member of those that run. */
  powerOn(): Promise<void>
  /** Takes its link down and leaves it running; `heal` brings the link back. */
  cut(): Promise<void>
  heal(): Promise<void>
  /** Parts it from its peers, while clients still reach it; `rejoin` undoes it. */
  isolate(): Promise<void>
  rejoin(): Promise<void>
  /** Runs a statement as root, on the node itself. */
  ask(sql: string): Promise<readonly object[]>
}

export interface Galera {
  readonly nodes: readonly GaleraNode[]
  /** Where the clients are: `enter` it to reach the nodes. */
  readonly fabric: Netns
  /** Starts all again after all were ended, the one with the newest records first. */
  restart(): Promise<void>
  end(): Promise<void>
}

interface Member extends GaleraNode {
  readonly place: ServerPlace
  start(first: boolean): Promise<void>
}

/** Starts a cluster and waits until all nodes are synced: ten seconds. */
export async function startGalera(count = 3): Promise<Galera> {
  const directory = await makeTestDirectory('atoll-galera-')
  const fabric = await createNetns('galera-fabric')
  const spaces: Netns[] = []
  try {
    await fabric.must(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
    await fabric.must(['ip', 'link', 'set', 'br0', 'up'])
    await fabric.must(['ip', 'address', 'add', `${addressOf(254)}/24`, 'dev', 'br0'])
    const template = join(directory, 'template')
    await mkdir(template)
    await initializeData(template)
    const addresses = Array.from({ length: count }, (_, index) => addressOf(index + 1))
    const members: Member[] = []
    for (const [index, address] of addresses.entries()) {
      const space = await plugIn(fabric, `node${index}`, address)
      spaces.push(space)
      const place = await placeFor(directory, template, space, address, addresses)
      const peers = addresses.filter((peer) => peer !== address)
      members.push(createMember({ fabric, space, link: `node${index}`, place, peers }))
    }
    for (const [index, member] of members.entries()) await member.start(index === 0)
    return {
      nodes: members,
      fabric,
      restart: () => restartAll(members),
      async end() {
        for (const space of [...spaces, fabric]) await space.destroy()
        await rm(directory, { recursive: true, force: true })
      },
    }
  } catch (error) {
    for (const space of [...spaces, fabric]) await space.destroy()
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function addressOf(number: number): string {
  return `10.94.0.${number}`
}

/** A namespace with one link to the bridge; the bridge's end is called `name`. */
async function plugIn(fabric: Netns, name: string, address: string): Promise<Netns> {
  const space = await createNetns(name)
  const peer = ['peer', 'name', 'eth0', 'netns', String(space.pid)]
  await fabric.must(['ip', 'link', 'add', name, 'type', 'veth', ...peer])
  await fabric.must(['ip', 'link', 'set', name, 'master', 'br0', 'up'])
  await space.must(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0'])
  await space.must(['ip', 'link', 'set', 'eth0', 'up'])
  return space
}

async function placeFor(
  directory: string,
  template: string,
  space: Netns,
  address: string,
  addresses: readonly string[],
): Promise<ServerPlace> {
  const home = join(directory, address)
  await mkdir(home)
  await copyData(template, home)
  return {
    directory: home,
    address,
    port: PORT,
    // Members that get no processor for a second take each other for dead, and other tests run
    // beside this one.
    within: ['nice', '-n', '-15', 'nsenter', '--net', `--target=${space.pid}`, '--'],
    options: [
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      // Galera's usual 2 or 0 loses commits when all nodes lose their power at once.
      '--innodb-flush-log-at-trx-commit=1',
      '--wsrep-on=ON',
      `--wsrep-provider=${PROVIDER}`,
      `--wsrep-provider-options=${PROVIDER_OPTIONS}`,
      '--wsrep-cluster-name=atoll-test',
      `--wsrep-cluster-address=gcomm://${addresses.join(',')}`,
      `--wsrep-node-address=${address}`,
      '--wsrep-sst-method=rsync',
      '--wsrep-slave-threads=2',
    ],
  }
}

function createMember(ground: {
  readonly fabric: Netns
  readonly space: Netns
  readonly link: string
  readonly place: ServerPlace
  readonly peers: readonly string[]
}): Member {
  const { fabric, space, link, place, peers } = ground
  let server: Server | undefined
  const setLink = (state: 'up' | 'down') => fabric.must(['ip', 'link', 'set', link, state])
  const ask = (sql: string) => administer(place.directory, sql)
  const kill = async () => {
    await server?.kill()
  }
  const start = async (first: boolean) => {
    const position = await positionOf(place)
    const more = position === undefined ? [] : [`--wsrep-start-position=${position}`]
    const founding = first ? ['--wsrep-new-cluster'] : []
    server = await startServer({
      ...place,
      options: [...(place.options ?? []), ...more, ...founding],
    })
    await eventually(`${place.address} is synced`, () => isSynced(ask), SYNC_TIMEOUT_MS)
  }
  return {
    address: `${place.address}:${place.port}`,
    place,
    ask,
    start,
    kill,
    async powerOff() {
      await setLink('down')
      await kill()
    },
    async powerOn() {
      await setLink('up')
      await start(false)
    },
    cut: async () => {
      await setLink('down')
    },
    heal: async () => {
      await setLink('up')
    },
    async isolate() {
      for (const peer of peers) await space.must(['ip', 'route', 'add', 'blackhole', `${peer}/32`])
    },
    async rejoin() {
      for (const peer of peers) await space.must(['ip', 'route', 'del', 'blackhole', `${peer}/32`])
    },
  }
}

async function isSynced(ask: Member['ask']): Promise<boolean> {
  const rows = await ask("show global status like 'wsrep_local_state_comment'").catch(() => [])
  return JSON.stringify(rows).includes('"Synced"')
}

/** Starts a new cluster on the member that has the newest records, as `galera_new_cluster` does. */
async function restartAll(members: readonly Member[]): Promise<void> {
  const found = await Promise.all(members.map(({ place }) => positionOf(place)))
  const numbers = found.map((position) => Number(position?.split(':')[1] ?? -1))
  const newest = members[numbers.indexOf(Math.max(...numbers))]
  if (newest === undefined) throw new Error('a cluster without members')
  await rm(join(newest.place.directory, 'data/grastate.dat'), { force: true })
  for (const member of members) await member.heal()
  await newest.start(true)
  for (const member of members) if (member !== newest) await member.start(false)
}

/** Where InnoDB's own records say that the node is: `uuid:number`; none before its first start. */
async function positionOf(place: ServerPlace): Promise<string | undefined> {
  const said = await runServerOnce(place, ['--wsrep-recover', '--skip-networking'])
  const position = /WSREP: Recovered position:\s*(\S+)/.exec(said)?.[1]
  return position === undefined || position.startsWith('00000000-') ? undefined : position
}
