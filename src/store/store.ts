/**
 * The port to the shared records.
 *
 * Every choice (host, address, id) is made inside `transaction`, by whichever host took the request. The work may run more
 * than once (certification conflicts, deadlocks), so it touches nothing but `tx`. Two implementations pass the same
 * contract suite: SQLite and MariaDB Galera. Errors: `AtollError` `unavailable` when the engine does not answer.
 */
import type { Ipv4 } from '../model/addr.ts'
import type {
  AccountId,
  HostName,
  ImageId,
  InstanceId,
  KeyPairId,
  SubnetId,
  VolumeId,
} from '../model/ids.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { MetadataDefaults } from '../model/metadata-options.ts'
import type {
  AccessKey,
  AccessKeyRecord,
  Account,
  ClientToken,
  Group,
  Host,
  Image,
  Instance,
  InstanceType,
  KeyPair,
  Nic,
  PeerHost,
  PlacedNic,
  Subnet,
  Tag,
  UnreadableRow,
  Volume,
  Vpc,
} from '../model/records.ts'
import type { Dump } from './dump.ts'

export interface Store {
  /** Brings the schema up to date; safe when several hosts do it at once. */
  migrate(): Promise<void>
  /**
   * Runs `work` in one transaction: all of it happens or none, once (unless `repeats` says that twice does no harm), and no
   * update of a row that was read before is lost. It may run more than once. A rule over several rows is not kept by reading them (`dialects.ts`).
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Makes the one call in `work` without a transaction around it. It may happen twice: only for what does no harm then. */
  single<T>(work: (tx: SingleTx) => Promise<T>): Promise<T>
  /** Runs `work` against one consistent snapshot. It may run more than once. */
  read<T>(work: (tx: ReadTx) => Promise<T>, options?: ReadOptions): Promise<T>
  close(): Promise<void>
}

/** What is one statement, and may happen twice. */
type SingleTx = Pick<
  Tx,
  'changedHosts' | 'placedNics' | 'orphans' | 'renewLease' | 'hosts' | 'unreadable'
>

/** What a snapshot has. */
interface ReadOptions {
  /**
   * `local` (unless told otherwise): what the node that is asked has by then, which may lack what was just committed at another one, and
   * is there even while the cluster stands still. `latest`: all that was committed before the call, at whatever node (a causal read). It
   * waits until the nodes agree on what that is, and a node that is cut off from the others does not answer it.
   */
  readonly sees?: 'local' | 'latest'
}

/** How a transaction reads, and what is done when nobody knows whether it was committed. */
interface TransactionOptions {
  /**
   * `decide` (unless told otherwise): of two that read a row and then change it, one is run again. `propose`: each read shows what is
   * committed by then, and none is run again for it; for work that only proposes by what it reads, and decides by keys and conditional
   * statements, where many want the same row.
   */
  readonly reads?: 'decide' | 'propose'
  /**
   * `guarded` (unless told otherwise): when the answer to its commit is lost, the work is applied once all the same, for a statement more in
   * each transaction. `harmless`: the work is simply run again, so what a run changes must keep a second one from changing it once
   * more, and its result must be right when an earlier run has done it all.
   */
  readonly repeats?: 'guarded' | 'harmless'
}

/** A host as its own daemon announces it. */
export type HostAnnouncement = Omit<
  Host,
  | 'state'
  | 'live'
  | 'usedVcpus'
  | 'usedMemoryMiB'
  | 'usedDiskGiB'
  | 'generation'
  | 'identity'
  | 'life'
> &
  HostSelf

/** A host as which machine it is. */
export interface HostSelf {
  readonly name: HostName
  readonly identity: string
  /** Left out: whoever has the identity is this host, as where no other machine can have these records. */
  readonly lives?: HostLife
}

/**
 * A life of a machine is one run of its daemon. Copies of a disk have the same identity, but only one of them lives: the records have the
 * life that came last, and it is gone on from by whoever knows it.
 */
export interface HostLife {
  /** The one that is lived now, or is to be. */
  readonly own: string
  /** The one before, proved to be this machine's by what no copy of its disk has. */
  readonly proven: string | null
  /** Those that this disk remembers; null: it may be any. */
  readonly known: readonly string[] | null
}

/** Which records to list. Fields are joined by AND, members of a list by OR; an absent field does not restrict. */
interface InstanceQuery {
  readonly account?: AccountId
  readonly ids?: readonly InstanceId[]
  readonly hosts?: readonly HostName[]
}

/** As `InstanceQuery`; `instances`: those whose disks they are, also when these are no more. */
export interface VolumeQuery {
  readonly account?: AccountId
  readonly ids?: readonly VolumeId[]
  readonly instances?: readonly InstanceId[]
  readonly hosts?: readonly HostName[]
}

/** The hosts whose part of the records changed, and where to go on from next time. */
interface ChangedHosts {
  readonly hosts: readonly PeerHost[]
  /** When that was so, by the store's clock, in milliseconds since the epoch; what was asked for when there are none. */
  readonly nowMs: number
}

/**
 * Reading. Lists come in ascending order of id (or name where there is no id). Each row is parsed (`row-schemas.ts`); one that cannot be
 * read is left out of every list and told of in `unreadable`.
 */
export interface ReadTx {
  /** What this transaction has left out so far. It is there, whatever it is: nothing may be removed or handed out for its absence. */
  unreadable(): readonly UnreadableRow[]
  accounts(): Promise<readonly Account[]>
  accessKey(id: string): Promise<AccessKeyRecord | undefined>
  accessKeys(account: AccountId): Promise<readonly AccessKeyRecord[]>
  hosts(): Promise<readonly Host[]>
  /**
   * The hosts whose part of the records changed at or after `sinceMs` by the store's clock, and `self` in any case. A change shows only
   * once its transaction is through, so ask from some seconds before the last answer's `nowMs`.
   */
  changedHosts(sinceMs: number, self?: HostName): Promise<ChangedHosts>
  /** Instances that nobody claimed, on hosts whose lease has run out: at most `limit`. */
  orphans(limit: number): Promise<readonly Instance[]>
  /** Everything, as rows. */
  dump(): Promise<Dump>
  images(query: {
    readonly account?: AccountId
    readonly ids?: readonly ImageId[]
  }): Promise<readonly Image[]>
  instanceTypes(): Promise<readonly InstanceType[]>
  vpcs(query: { readonly account?: AccountId }): Promise<readonly Vpc[]>
  subnets(query: {
    readonly account?: AccountId
    readonly ids?: readonly SubnetId[]
  }): Promise<readonly Subnet[]>
  groups(query: { readonly account?: AccountId }): Promise<readonly Group[]>
  instances(query: InstanceQuery): Promise<readonly Instance[]>
  nics(query: {
    readonly account?: AccountId
    readonly instances?: readonly InstanceId[]
  }): Promise<readonly Nic[]>
  /** Those of instances that are no more only if `instances` names these: a daemon that knows no volumes left them. */
  volumes(query: VolumeQuery): Promise<readonly Volume[]>
  /** Addresses of the subnet that NICs have: all of them, or those of `among`. */
  takenAddresses(subnet: SubnetId, among?: readonly Ipv4[]): Promise<readonly Ipv4[]>
  /** The NICs of the instances on these hosts (on all of them when absent), in one statement for any usual number of hosts. */
  placedNics(query: { readonly hosts?: readonly HostName[] }): Promise<readonly PlacedNic[]>
  keyPairs(query: { readonly account: AccountId }): Promise<readonly KeyPair[]>
  tags(query: {
    readonly account?: AccountId
    readonly resources?: readonly string[]
  }): Promise<readonly Tag[]>
  clientToken(account: AccountId, action: string, token: string): Promise<ClientToken | undefined>
}

/**
 * Writing. A method that can lose a race says so in what it returns and never throws for it; the caller turns that into an
 * error of its own or tries another choice.
 */
export interface Tx extends ReadTx {
  insertAccount(account: Account): Promise<'done' | 'exists'>
  /** Sets what an account's launches get that do not say. */
  updateAccount(id: AccountId, metadata: MetadataDefaults): Promise<void>
  insertAccessKey(key: AccessKey & Partial<AccessKeyRecord>): Promise<'done' | 'exists'>
  /** Changes a key that is there; `missing` when it is not. */
  updateAccessKey(
    id: string,
    change: Partial<Pick<AccessKeyRecord, 'secret' | 'status' | 'lastUsedAt'>>,
  ): Promise<'done' | 'missing'>
  deleteAccessKey(id: string): Promise<'done' | 'missing'>
  /** `exists` when some VPC of the cluster has the same network, so that of several first starts one makes the default. */
  insertVpc(vpc: Vpc): Promise<'done' | 'exists'>
  /** `exists` when some subnet of the cluster has the same network. */
  insertSubnet(subnet: Subnet): Promise<'done' | 'exists'>
  /** `exists` when the VPC has a group of this name. */
  insertGroup(group: Group): Promise<'done' | 'exists'>

  /** `exists` when the account has an image of this name. */
  insertImage(image: Image): Promise<'done' | 'exists'>
  updateImage(
    id: ImageId,
    change: Partial<
      Pick<
        Image,
        | 'name'
        | 'state'
        | 'stateReason'
        | 'digest'
        | 'repositoryDigest'
        | 'diskGiB'
        | 'architecture'
      >
    >,
  ): Promise<void>
  /** Removes the records of the host's images that are deregistered and that no instance but terminated ones is made from. */
  deleteUnusedImages(host: HostName): Promise<void>

  insertInstance(instance: Instance): Promise<void>
  updateInstance(id: InstanceId, change: InstanceChange): Promise<void>
  /** Removes the record for good (after its tombstone time), and what is left of its volumes; its NICs are gone before. */
  deleteInstance(id: InstanceId): Promise<void>

  /** `taken` when another NIC has the address or the MAC: choose another and try again in the same transaction. */
  insertNic(nic: Nic): Promise<'done' | 'taken'>
  deleteNics(instance: InstanceId): Promise<void>

  insertVolume(volume: Volume): Promise<void>
  updateVolume(
    id: VolumeId,
    change: Partial<Pick<Volume, 'state' | 'instance' | 'host' | 'deleteOnTermination'>>,
  ): Promise<void>
  /** Removes the record (tags are the caller's). */
  deleteVolume(id: VolumeId): Promise<void>

  /** `exists` when the account has a key pair of this name. */
  insertKeyPair(key: KeyPair): Promise<'done' | 'exists'>
  deleteKeyPair(id: KeyPairId): Promise<void>

  /** Sets the values of these keys, replacing earlier ones. */
  putTags(tags: readonly Tag[]): Promise<void>
  /** Removes a key of a resource; with `value` only if it has just this value. */
  deleteTag(tag: {
    readonly account: AccountId
    readonly resource: string
    readonly key: string
    readonly value?: string
  }): Promise<void>
  deleteTagsOf(resource: string): Promise<void>

  /** `exists` when the token was used before; read it to see for what. */
  insertClientToken(token: ClientToken): Promise<'done' | 'exists'>
  /** Forgets tokens made before the time (ISO 8601). */
  deleteClientTokensBefore(createdAt: string): Promise<void>

  /**
   * Makes or refreshes a host's row, everything but `state` and `used…`, which it keeps (a forgotten one is active again; the used disk is
   * counted anew, because daemons that know no volumes may have ended some),
   * advances its generation and gives it a lease. `taken`, with nothing changed, while another machine holds a
   * lease under the name or has instances that it started: only forgetting the host frees the name then. Another machine is also one of
   * the same identity whose life this one does not go on from.
   */
  upsertHost(host: HostAnnouncement, leaseMs: number): Promise<'done' | 'taken'>
  /**
   * Lets the lease end in `leaseMs` from now, by the store's clock, and keeps what the host says with it. `unknown` when there is no such
   * host of this machine (any more): announce it.
   */
  renewLease(
    host: HostSelf,
    leaseMs: number,
    said: Pick<Host, 'shortOf' | 'lastSeenAt'>,
  ): Promise<'done' | 'unknown'>
  /** `unknown` when there is no such host. Advances the generation. */
  setHostState(host: HostName, state: Host['state']): Promise<'done' | 'unknown'>

  /**
   * Takes an instance for good, just before its first start. `lost` when it is not this host's any more, is not to run, or the
   * host's own lease has run out.
   */
  claimInstance(id: InstanceId, host: HostSelf): Promise<'done' | 'lost'>
  /** Gives an instance that nobody has claimed to another host. `lost` when it was claimed, moved or ended meanwhile. */
  moveInstance(id: InstanceId, from: HostName, to: HostName): Promise<'done' | 'lost'>
  /** Hands the tombstones and images of a host to another. */
  inherit(from: HostName, to: HostName): Promise<void>
  /** Makes all records equal to a dump, and gives how many of its rows do not fit and were left out. Only for a replica. */
  restore(dump: Dump): Promise<number>
  /**
   * Takes capacity for one instance if the host is active, short of nothing and has it, in one conditional statement. `full` otherwise.
   * Advances the generation. `diskGiB` is for volumes.
   */
  takeCapacity(
    host: HostName,
    vcpus: number,
    memoryMiB: number,
    diskGiB?: number,
  ): Promise<'done' | 'full'>
  /** Gives it back, never below zero. Advances the generation. */
  returnCapacity(host: HostName, vcpus: number, memoryMiB: number, diskGiB?: number): Promise<void>
  /**
   * Says that something in this host's part of the records changed. With `from` it happens only if the host's generation is that one:
   * `done` then, and `changed` if it is another.
   */
  advanceGeneration(host: HostName, from?: number): Promise<'done' | 'changed'>
}
