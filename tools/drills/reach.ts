/**
 * Who reaches whom: instances of the default VPC and of two VPCs with the same addresses, on two
 * hosts, and somebody outside, try each other's private addresses and floating IPs with ping, TCP
 * and UDP. What passes must be what `explain` says. Again while all daemons are dead, after they
 * have started again, and after changes in random order.
 */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AuthorizeSecurityGroupIngressCommand,
  type EC2Client,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { clientOf, labCredentials, listClient, sampleImage } from './api.ts'
import { randomOf } from './consistency/random.ts'
import type { Progress } from './drill.ts'
import { waitUntilHealthy } from './lab-health.ts'
import { markdownTable, replacedBetween } from './markdown.ts'
import {
  ADDRESSES,
  makeWorld,
  OUTSIDE,
  type Place,
  RUNNING_MS,
  type Target,
  type World,
} from './reach-world.ts'

const BEGIN = '<!-- reach: written by scripts/drill reach --write-docs -->'
const END = '<!-- end of reach -->'
const KINDS = ['icmp/8', 'tcp/8080', 'tcp/22', 'udp/53'] as const
const NAMES = { 'icmp/8': 'ping', 'tcp/8080': 'tcp/8080', 'tcp/22': 'tcp/22', 'udp/53': 'udp/53' }
const IN_FORCE_MS = 30_000
const CONVERGE_MS = 150_000
const ATTEMPT_MS = 5000

/** One table. */
export interface ReachRound {
  readonly title: string
  readonly table: string
  /** Cells where what passes is not what `explain` says. */
  readonly wrong: readonly string[]
}

/** The rounds as text. */
export function reachText(rounds: readonly ReachRound[]): string {
  return rounds
    .map(({ title, table, wrong }) =>
      [
        `### ${title[0]?.toUpperCase()}${title.slice(1)}`,
        table,
        wrong.length === 0
          ? 'All as `explain` says.'
          : `**Not as \`explain\` says:** ${wrong.join('; ')}`,
      ].join('\n\n'),
    )
    .join('\n\n')
}

/** The page with the rounds between its markers. */
export function reachWrittenInto(page: string, rounds: readonly ReachRound[], day: string): string {
  const text = `\`scripts/drill reach\`, ${day}:\n\n${reachText(rounds)}`
  return replacedBetween(page, BEGIN, END, text)
}

/** Tries everything. Throws when it could not be done. */
export async function tryReach(
  lab: Lab,
  seed: number,
  progress: Progress,
): Promise<readonly ReachRound[]> {
  const leaveOutside = lab.outside.enter()
  try {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const [first] = clients
    if (first === undefined) throw new Error('the lab has no hosts')
    const { ec2 } = first
    const image = await sampleImage(listClient(clients, ATTEMPT_MS))
    const { found } = await waitUntilHealthy(lab, CONVERGE_MS)
    if (found.length > 0) throw new Error(`the lab is not healthy: ${found.join('; ')}`)
    progress('reach: VPCs, groups, instances and floating IPs')
    const world = await makeWorld(lab, ec2, image)
    const rounds: ReachRound[] = []
    const round = async (title: string, known?: Verdicts) => {
      progress(`reach: ${title}`)
      const verdicts = known ?? (await explainAll(lab, world))
      rounds.push(await tryAll(title, world, verdicts))
      return verdicts
    }
    const verdicts = await round('at first')
    for (const host of lab.hosts) await host.service('atolld').kill()
    await round('while every daemon is dead (SIGKILL)', verdicts)
    for (const host of lab.hosts) await host.service('atolld').start()
    await waitUntilHealthy(lab, CONVERGE_MS)
    await round('after the daemons have started again')
    await changeInRandomOrder(ec2, world, seed)
    await settle(lab, world)
    await round('after changes in random order')
    for (const { ec2 } of clients) ec2.destroy()
    return rounds
  } finally {
    leaveOutside()
  }
}

/** What `explain` says, by `cellOf`. */
type Verdicts = ReadonlyMap<string, boolean>

/** Rules that come and go, in an order that follows from the seed. */
async function changeInRandomOrder(ec2: EC2Client, { groups }: World, seed: number): Promise<void> {
  const random = randomOf(seed)
  const permission = (port: number, CidrIp: string) => ({
    IpPermissions: [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges: [{ CidrIp }] }],
  })
  const changes = groups.flatMap(({ id: GroupId, cidr, vpc }) => [
    () => ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, ...permission(22, cidr) })),
    ...(vpc === 'blue'
      ? [
          () =>
            ec2.send(
              new RevokeSecurityGroupIngressCommand({ GroupId, ...permission(8080, '0.0.0.0/0') }),
            ),
        ]
      : [
          () =>
            ec2.send(
              new AuthorizeSecurityGroupIngressCommand({ GroupId, ...permission(22, '0.0.0.0/0') }),
            ),
        ]),
  ])
  const order = changes.map((change) => ({ change, at: random.next() }))
  for (const { change } of order.toSorted((a, b) => a.at - b.at)) await change()
}

/** Waits until the newest rules are in force: what passes has become what `explain` says. */
async function settle(lab: Lab, world: World): Promise<void> {
  const verdicts = await explainAll(lab, world)
  await until('the changed rules are in force', IN_FORCE_MS, async () =>
    (await tryAll('', world, verdicts)).wrong.length === 0 ? true : null,
  ).catch(() => undefined)
}

function cellOf(from: Place, to: Target, kind: string): string {
  return `${from.name} -> ${to.label} ${kind}`
}

/** Asks a host over its socket for many packets at once: argv has JSON, a list of queries. */
const EXPLAIN = `
import json, socket, sys, urllib.parse
for query in json.load(sys.stdin):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("/run/atoll/admin.sock")
    path = "/v1/explain?" + urllib.parse.urlencode(query)
    connection.sendall(("GET %s HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n" % path).encode())
    answer = b""
    while part := connection.recv(65536): answer += part
    print(json.dumps(json.loads(answer.split(b"\\r\\n\\r\\n", 1)[1]).get("passes", False)))
`

async function explainAll(lab: Lab, { places, targets }: World): Promise<Verdicts> {
  const verdicts = new Map<string, boolean>()
  const asked = places.flatMap((from) =>
    targets.flatMap((to) => (from === to.place ? [] : KINDS.map((what) => ({ from, to, what })))),
  )
  for (const host of lab.hosts) {
    // What goes out is judged by the host that it leaves.
    const own = asked.filter(({ from, to }) => (from.host || to.place.host) === host.name)
    const queries = own.map(({ from, to, what }) => ({
      from: from.instance ?? from.ip,
      // From outside, an address of a VPC may be that of several.
      to: from.instance === null && !to.address.startsWith('198.') ? to.place.instance : to.address,
      what,
    }))
    const text = await host.must(['python3', '-c', EXPLAIN], {
      ...{ stdin: JSON.stringify(queries), timeoutMs: RUNNING_MS },
    })
    const answers = text.trim().split('\n')
    for (const [at, { from, to, what }] of own.entries())
      verdicts.set(cellOf(from, to, what), answers[at] === 'true')
  }
  return verdicts
}

/** Serves in a namespace: TCP 8080 and 22 and UDP 53 answer with the name in argv. */
const SERVE = `
import socket, sys, threading
name = sys.argv[1].encode()
def tcp(port):
    server = socket.create_server(("0.0.0.0", port))
    while True:
        connection, _ = server.accept()
        connection.sendall(name)
        connection.close()
def udp():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 53))
    while True:
        _, peer = server.recvfrom(100)
        server.sendto(name, peer)
for port in (8080, 22): threading.Thread(target=tcp, args=(port,), daemon=True).start()
print("ready", flush=True)
udp()
`
/**
 * Tries all addresses in argv at once, with every kind; prints JSON: kinds that were answered, with
 * whose name.
 */
const TRY = `
import json, socket, subprocess, sys, threading
found = {}
def one(address, kind):
    try:
        if kind == "icmp/8":
            if subprocess.run(["ping", "-c1", "-W2", address], capture_output=True).returncode == 0: found[address + " " + kind] = ""
            return
        protocol, port = kind.split("/")
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        s.settimeout(2)
        s.connect((address, int(port)))
        if protocol == "udp": s.send(b"?")
        found[address + " " + kind] = s.recv(100).decode()
    except OSError: pass
threads = [threading.Thread(target=one, args=(a, k)) for a in sys.argv[1].split(",") for k in sys.argv[2].split(",")]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps(found))
`

const foundSchema = z.record(z.string(), z.string())

async function tryAll(title: string, world: World, verdicts: Verdicts): Promise<ReachRound> {
  const { places, targets } = world
  const servers = places.map(({ netns, name }) =>
    spawn('nsenter', [`--net=${netns}`, 'python3', '-c', SERVE, name], { stdio: 'ignore' }),
  )
  try {
    await delay(500)
    const addresses = [...new Set(targets.map(({ address }) => address))].join(',')
    const seen = await Promise.all(
      places.map(async ({ netns }) =>
        foundSchema.parse(
          JSON.parse(
            await outputOf('nsenter', [
              ...[`--net=${netns}`, 'python3', '-c', TRY, addresses, KINDS.join()],
            ]),
          ),
        ),
      ),
    )
    const wrong: string[] = []
    const rows = places.map((from, at) => [
      from.name,
      ...targets.map((to) => {
        if (from === to.place) return ''
        const passed = KINDS.filter((kind) => {
          const name = seen[at]?.[`${to.address} ${kind}`]
          // Another VPC's instance with that address is not the one that is meant.
          const isMeant = isSeen(from, to)
          const passes = name !== undefined && isMeant && (name === '' || name === to.place.name)
          if (isJudged(from, to, kind) && passes !== verdicts.get(cellOf(from, to, kind)))
            wrong.push(
              `${title}: ${cellOf(from, to, kind)}: ${passes ? 'passes' : 'does not pass'}`,
            )
          return passes
        })
        return passed.length === 0 ? '–' : passed.map((kind) => NAMES[kind]).join(' ')
      }),
    ])
    const head = ['from', ...targets.map(({ label }) => label)]
    return { title, table: markdownTable(head, rows), wrong }
  } finally {
    for (const server of servers) server.kill('SIGKILL')
  }
}

/** Whether the address means this target to the sender: VPCs have the same private addresses. */
function isSeen(from: Place, { place, address }: Target): boolean {
  const isShared = ADDRESSES.some((one) => one === address)
  return from.vpc === place.vpc || !isShared || from.vpc === OUTSIDE || from.vpc === 'default'
}

/**
 * Whether `explain` knows what must come of it. It does not know that the machine outside has no
 * route to private addresses, and that it answers pings only.
 */
function isJudged(from: Place, to: Target, kind: string): boolean {
  if (to.place.vpc === OUTSIDE) return kind === 'icmp/8'
  if (from.vpc === OUTSIDE && to.address === to.place.ip) return false
  return isSeen(from, to)
}

function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
    })
    child.on('error', reject)
    child.on('close', () => resolve(text))
  })
}
