/**
 * How long after the API's answer a rule of a security group is in force on all hosts: pings from
 * an instance to one on each host, which a rule lets in and which end when it is revoked.
 */
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  ModifyInstanceAttributeCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { type ApiClient, clientOf, labCredentials, listClient, sampleImage } from './api.ts'
import type { Progress } from './drill.ts'
import { ensureFleet, type Fleet } from './fleet.ts'
import { containersOf, netnsOf } from './host-state.ts'
import { waitUntilHealthy } from './lab-health.ts'
import { newSeries, type Series } from './probe-losses.ts'
import { type Prober, startPings } from './probes.ts'

const GROUP = 'rule-latency'
const PING_EVERY_MS = 5
const ROUNDS = 60
const ATTEMPT_MS = 5000
const CONVERGE_MS = 150_000
/** A rule that is not in force after so long is an error. */
const IN_FORCE_MS = 20_000
/** When nothing was answered for so long, the pings have ended. */
const SILENCE_MS = 600

/** Times from the API's answer, in ms, one for each change and host. */
export interface RuleLatency {
  /** Until the first ping that a new rule lets in was answered. */
  readonly authorized: readonly number[]
  /** Until the last ping was answered, after the rule was revoked; negative: before the answer. */
  readonly revoked: readonly number[]
}

/** Measures; the changes go to each host's API in turn. Throws when a rule is never in force. */
export async function measureRuleLatency(lab: Lab, progress: Progress): Promise<RuleLatency> {
  const leaveOutside = lab.outside.enter()
  try {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const list = listClient(clients, ATTEMPT_MS)
    const container = await sampleImage(list)
    const fleet = await ensureFleet(lab, list, { container, machine: null })
    const { found } = await waitUntilHealthy(lab, CONVERGE_MS)
    if (found.length > 0) throw new Error(`the lab is not healthy: ${found.join('; ')}`)
    const [first] = clients
    if (first === undefined) throw new Error('the lab has no hosts')
    const groups = await prepareGroups(first, lab, fleet)
    const pings = await startAllPings(lab, fleet)
    const [authorized, revoked]: [number[], number[]] = [[], []]
    try {
      for (let round = 0; round < ROUNDS; round++) {
        if (round % 10 === 0) progress(`rule-latency: round ${round} of ${ROUNDS}`)
        const client = clients[round % clients.length] ?? first
        const times = await oneRound(client, groups, pings)
        authorized.push(...times.authorized)
        revoked.push(...times.revoked)
      }
    } finally {
      for (const { prober } of pings) prober.close()
      await removeGroup(first, groups, lab, fleet)
    }
    for (const { ec2 } of clients) ec2.destroy()
    return { authorized, revoked }
  } finally {
    leaveOutside()
  }
}

interface Groups {
  /** In which the pinging instance is. */
  readonly usual: string
  /** In which those are that it pings. */
  readonly closed: string
}

interface Ping {
  readonly series: Series
  readonly prober: Prober
}

/** The second instance of each host is in a group that lets nothing in. */
async function prepareGroups({ ec2 }: ApiClient, lab: Lab, fleet: Fleet): Promise<Groups> {
  const { SecurityGroups = [] } = await ec2.send(
    new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'group-name', Values: ['default'] }] }),
  )
  const { GroupId: usual = '', VpcId } = SecurityGroups[0] ?? {}
  const { GroupId: closed = '' } = await ec2.send(
    new CreateSecurityGroupCommand({ GroupName: GROUP, Description: GROUP, VpcId }),
  )
  await moveTargets(ec2, lab, fleet, closed)
  return { usual, closed }
}

async function removeGroup(
  { ec2 }: ApiClient,
  { usual, closed }: Groups,
  lab: Lab,
  fleet: Fleet,
): Promise<void> {
  await moveTargets(ec2, lab, fleet, usual)
  await ec2.send(new DeleteSecurityGroupCommand({ GroupId: closed }))
}

async function moveTargets(ec2: ApiClient['ec2'], lab: Lab, fleet: Fleet, group: string) {
  for (const { name } of lab.hosts) {
    const [, { id }] = fleet.on(name)
    await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, Groups: [group] }))
  }
}

/** From the first instance of the first host to the second one of every host. */
async function startAllPings(lab: Lab, fleet: Fleet): Promise<readonly Ping[]> {
  const [{ name: host } = { name: '' }] = lab.hosts
  const [from] = fleet.on(host)
  const container = (await containersOf(lab, host)).find(({ instance }) => instance === from.id)
  const place = { ...from, netnsFile: await netnsOf(lab, host, container?.pid ?? 0) }
  return await Promise.all(
    lab.hosts.map(async ({ name }) => {
      const series = newSeries('packets', `to ${name}`, [host, name])
      return {
        series,
        prober: await startPings(series, PING_EVERY_MS, place, fleet.on(name)[1].ip),
      }
    }),
  )
}

async function oneRound(
  { ec2 }: ApiClient,
  { usual, closed }: Groups,
  pings: readonly Ping[],
): Promise<RuleLatency> {
  const rule = {
    GroupId: closed,
    IpPermissions: [
      { IpProtocol: 'icmp', FromPort: -1, ToPort: -1, UserIdGroupPairs: [{ GroupId: usual }] },
    ],
  }
  await until('no ping is answered', IN_FORCE_MS, async () => areSilent(pings))
  const silentSince = performance.now()
  await ec2.send(new AuthorizeSecurityGroupIngressCommand(rule))
  const opened = performance.now()
  const authorized = await until('every ping is answered', IN_FORCE_MS, async () => {
    const firsts = pings.flatMap(({ series }) => firstAnswerAfter(series, silentSince) ?? [])
    return firsts.length === pings.length ? firsts.map((at) => at - opened) : null
  })
  await ec2.send(new RevokeSecurityGroupIngressCommand(rule))
  const shut = performance.now()
  await until('no ping is answered any more', IN_FORCE_MS, async () => areSilent(pings))
  const revoked = pings.map(({ series }) => lastAnswer(series) - shut)
  return { authorized, revoked }
}

/** True, or null: then one was answered a moment ago. */
function areSilent(pings: readonly Ping[]): true | null {
  const now = performance.now()
  return pings.every(({ series }) => now - lastAnswer(series) > SILENCE_MS) ? true : null
}

/** Pings are answered in the order in which they were sent, so only the latest are looked at. */
function lastAnswer({ answeredAt }: Series): number {
  return answeredAt.findLast((at) => !Number.isNaN(at)) ?? Number.NEGATIVE_INFINITY
}

function firstAnswerAfter({ answeredAt }: Series, from: number): number | undefined {
  return answeredAt.find((at) => at > from)
}
