/**
 * Scopes: whom a change of the records concerns. Pure.
 *
 * Each write names its scopes in its noun's file. A transaction collects them, and advances the
 * generation of each once before it commits. A reader that compares generations reads what changed
 * and nothing else.
 *
 * A VPC has two kinds of scope. Its networks, groups and rules are one scope, because they change
 * rarely. Its members change with every launch, so there is a scope for each host with members. A
 * launch updates a row of the host whose capacity it takes; no row is updated by all launches into
 * a VPC (in Galera, each of those would fail the certification of others).
 */
import type { AccountId, HostName, VpcId } from '../model/ids.ts'

/**
 * - `host`: the host's own part: its instances, volumes, tags, and the images that it has.
 * - `vpc`: without `host`: networks, groups and rules of the VPC. With `host`: the VPC's members
 *   (NICs with their groups and names) on that host.
 * - `account`: what all instances of an account share.
 * - `all`: without `host`: what all hosts share. With `host`: what all must know of that host: its
 *   state, its address, its machine.
 */
export type Scope =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'vpc'; readonly vpc: VpcId; readonly host?: HostName }
  | { readonly kind: 'account'; readonly account: AccountId }
  | { readonly kind: 'all'; readonly host?: HostName }

/** One host's own part. */
export function ofHost(host: HostName): Scope {
  return { kind: 'host', host }
}

/** A VPC's networks, groups and rules; with a host, the VPC's members there. */
export function ofVpc(vpc: VpcId, host?: HostName): Scope {
  return host === undefined ? { kind: 'vpc', vpc } : { kind: 'vpc', vpc, host }
}

/** What all hosts share. */
export const EVERYBODY: Scope = { kind: 'all' }

/** What all hosts must know of a host. */
export function ofAll(host: HostName): Scope {
  return { kind: 'all', host }
}
