/**
 * What must be true of a simulated cloud, at each commit, at each start of an instance, and in the
 * end.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { InstanceWant } from '../../src/model/want.ts'
import type { Pass } from '../../src/services/service.ts'
import { concerns } from './changeset.ts'
import type { SimulatedHost } from './host.ts'
import type { WriteSet } from './write-set.ts'

/** Something that must never be. `rule` is the same for the same kind of fault. */
export class Violation extends Error {
  readonly rule: string

  constructor(rule: string, what: string) {
    super(`${rule}: ${what}`)
    this.name = 'Violation'
    this.rule = rule
  }
}

/** An instance in the records. */
export interface InstanceRow {
  readonly id: string
  readonly host: string
  readonly state: string
  readonly wanted: string
  readonly claimed: number
  readonly bootCount: number
  readonly clientToken: string | null
  readonly stateReasonCode: string | null
}

/** The instances that are in the records. */
export function instanceRows(truth: DatabaseSync): readonly InstanceRow[] {
  return rowsOf<InstanceRow>(
    truth,
    'select id, host, state, wanted, claimed, bootCount, clientToken, stateReasonCode from instances',
  )
}

/** The rows of a statement. */
export function rowsOf<Row>(database: DatabaseSync, sql: string): readonly Row[] {
  return database.prepare(sql).all() as unknown as readonly Row[]
}

const ADDRESSES_TWICE = `
  select vpc, ip, count(*) as n from (
    select vpc, ip from nics
    union all
    select vpc, ip from nicAddresses where isPrimary = 0
  ) group by vpc, ip having n > 1`

const CAPACITY = `
  select h.name, h.vcpus, h.usedVcpus, h.memoryMiB, h.usedMemoryMiB,
    coalesce(sum(t.vcpus), 0) as sumVcpus, coalesce(sum(t.memoryMiB), 0) as sumMemoryMiB
  from hosts h
    left join instances i on i.host = h.name and i.state != 'terminated'
    left join instanceTypes t on t.name = i.type
  group by h.name`

interface CapacityRow {
  readonly name: string
  readonly vcpus: number
  readonly usedVcpus: number
  readonly memoryMiB: number
  readonly usedMemoryMiB: number
  readonly sumVcpus: number
  readonly sumMemoryMiB: number
}

const NICS_OF_NOBODY = `
  select n.id from nics n join instances i on i.id = n.instance where i.state = 'terminated'`

const COUNTED = new Set(['instances', 'nics', 'nicAddresses'])

/** What the records must say after each commit. */
export function checkCommit(truth: DatabaseSync, { keys }: WriteSet): void {
  if (!concerns(keys, COUNTED)) return
  for (const row of rowsOf<{ vpc: string; ip: string }>(truth, ADDRESSES_TWICE))
    throw new Violation('address twice', `${row.ip} of ${row.vpc} belongs to two NICs`)
  for (const row of rowsOf<CapacityRow>(truth, CAPACITY)) {
    if (row.usedVcpus > row.vcpus || row.usedMemoryMiB > row.memoryMiB)
      throw new Violation('capacity twice', `${row.name} has given away more than it has`)
    if (row.usedVcpus !== row.sumVcpus || row.usedMemoryMiB !== row.sumMemoryMiB)
      throw new Violation(
        'capacity',
        `${row.name} says ${row.usedVcpus} vCPUs, its instances have ${row.sumVcpus}`,
      )
  }
  for (const row of rowsOf<{ id: string }>(truth, NICS_OF_NOBODY))
    throw new Violation('address kept', `${row.id} belongs to a terminated instance`)
}

/** Remembers what each host has seen and started. */
export function createWatch(truth: () => DatabaseSync, hosts: readonly SimulatedHost[]) {
  const generations = new Map<string, number>()
  return {
    /** The records lost commits: generations begin again, and starts may be forgotten. */
    started(host: string, { id, nics }: InstanceWant): void {
      for (const other of hosts) {
        for (const one of other.machine.workloads.values()) {
          if (one.id === id && other.name !== host && one.state === 'running')
            throw new Violation('runs twice', `${id} runs on ${other.name} and on ${host}`)
          if (one.id === id) continue
          const shared = one.nics.find((nic) =>
            nics.some(({ ip, vpc }) => ip === nic.ip && vpc === nic.vpc),
          )
          if (shared !== undefined)
            throw new Violation(
              'address in use',
              `${id} on ${host} gets ${shared.ip}, which ${one.id} on ${other.name} still has`,
            )
        }
      }
      const row = instanceRows(truth()).find((one) => one.id === id)
      if (row !== undefined && row.host !== host)
        throw new Violation('foreign instance', `${host} starts ${id} of ${row.host}`)
    },
    applied(host: string, { want: { local } }: Pass): void {
      if (local.host !== host)
        throw new Violation('foreign want', `${host} applies the want of ${local.host}`)
      const before = generations.get(host) ?? 0
      if (local.generation < before)
        throw new Violation(
          'generation back',
          `${host} applies ${local.generation} after ${before}`,
        )
      generations.set(host, local.generation)
    },
  }
}

/** How records and machines differ in the end; empty when they agree. */
export function differences(
  truth: DatabaseSync,
  hosts: readonly SimulatedHost[],
): readonly string[] {
  const found: string[] = []
  const rows = new Map(instanceRows(truth).map((row) => [row.id, row]))
  const machines = new Map(hosts.map((host) => [host.name as string, host]))
  for (const row of rows.values()) {
    const { id, host, state, wanted, bootCount } = row
    const one = machines.get(host)?.machine.workloads.get(id as never)
    const runs = one?.state === 'running'
    if (state === 'terminated') {
      if (one !== undefined) found.push(`${id} is terminated and still on ${host}`)
    } else if (wanted === 'run') {
      if (state !== 'running') found.push(`${id} on ${host} is ${state} and not running`)
      if (!runs) found.push(`${id} does not run on ${host}`)
      else if (one.bootCount !== bootCount)
        found.push(`${id} runs boot ${one.bootCount} and not ${bootCount}`)
    } else if (wanted === 'stop') {
      if (state !== 'stopped') found.push(`${id} on ${host} is ${state} and not stopped`)
      if (runs) found.push(`${id} is stopped and runs on ${host}`)
    } else found.push(`${id} on ${host} is to be terminated and is ${state}`)
  }
  const offers = new Map(
    rowsOf<{ id: string; host: string }>(truth, 'select id, host from warmInstances').map(
      ({ id, host }) => [id, host],
    ),
  )
  for (const { name, machine, member } of hosts) {
    for (const { id, taken } of machine.workloads.values()) {
      const isOffered = taken?.by === null && offers.get(id) === name
      if (!isOffered && rows.get(id)?.host !== name)
        found.push(`${id} is on ${name} without being its`)
    }
    const status = member()?.agent.status()
    if (status?.source !== 'records') found.push(`${name} does not work by the records`)
  }
  for (const [id, host] of offers)
    if (machines.get(host)?.machine.workloads.get(id as never)?.state !== 'running')
      found.push(`${id} is offered by ${host} and does not wait there`)
  return found
}
