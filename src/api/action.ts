/**
 * An API action: its name, the schema of its parameters, and its function.
 *
 * The transport decodes a request into an object with the member names and types of
 * `@aws-sdk/client-ec2` (`{ InstanceIds: ['i-…'], MaxResults: 5 }`), and refuses unknown members.
 * The action checks limits and meaning with zod, and returns an object with the SDK's output
 * members, which the transport encodes. Refusals are `AtollError`s.
 */
import type * as ec2 from '@aws-sdk/client-ec2'
import type * as iam from '@aws-sdk/client-iam'
import type * as sts from '@aws-sdk/client-sts'
import type { z } from 'zod'
import type { BusCaller } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { SecretCipher } from '../lib/secret-cipher.ts'
import type { Turns } from '../lib/turns.ts'
import type { AccessKey, AssumedRole, FederatedUser } from '../model/account-records.ts'
import type { Cidr } from '../model/addr.ts'
import type { DriverDeclaration } from '../model/driver.ts'
import type { FabricSettings } from '../model/fabric.ts'
import type { PermittedBucket } from '../model/flow-log.ts'
import type { AccountId, HostName } from '../model/ids.ts'
import type { TypeRate } from '../model/network-rates.ts'
import type { TypeNicLimit } from '../model/nic-limits.ts'
import type { Pool } from '../model/pools.ts'
import type { Quotas } from '../model/quotas.ts'
import type { ReservedCapacity } from '../model/recovery.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import type { ReadTx, Store } from '../store/store.ts'
import type { KeyGeneration } from './accounts/key-generation.ts'
import type { Keyring } from './accounts/keyring.ts'
import type { Audit, CallAudit } from './audit/port.ts'
import type { Budget } from './budget.ts'
import type { Catalogue } from './launch/catalogue.ts'

/** The caller, authenticated by the signature. */
export interface Caller {
  readonly account: AccountId
  readonly user: string
  readonly accessKey: string
  /** `policies`: what the policies of the user allow. */
  readonly rights: 'all' | 'policies'
  /**
   * With temporary credentials. `accessKey` is the key that they were made with, or the id of the
   * role.
   */
  readonly isTemporary?: true
  /** Of the ARN of a user. Absent: `/`. */
  readonly userPath?: string
  /** `AIDA…`. Absent: the user has no record. */
  readonly userId?: string
  /** Set for a session of a role; `user` is `ROLE/SESSION`. */
  readonly role?: AssumedRole
  /** Set for credentials of GetFederationToken; `user` is the user that gave them. */
  readonly federated?: FederatedUser & {
    /** Whether the key of that user has all rights. */
    readonly hasAllRights: boolean
  }
}

/** What actions need. */
export interface ApiParts {
  /** Actions use it as the `records` of their call. */
  readonly store: InformedStore
  readonly bus: BusCaller
  /** The records that launches choose from. */
  readonly catalogue: Catalogue
  readonly clock: Clock
  /** Turns of the event loop, which long work shares with this host's services. */
  readonly turns: Turns
  readonly keyGeneration: KeyGeneration
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array
  readonly settings: ApiSettings
  /** Absent: keys are in the records in clear text. */
  readonly keys?: Keyring
  /** A new key in the form in which it is stored. */
  readonly keepKey: (tx: ReadTx, key: AccessKey) => Promise<AccessKey>
  /**
   * Encodes why a request was not authorized, so that any host of the cloud can decode it. Null or
   * absent: the hosts share no secret, and nothing is encoded.
   */
  readonly messages?: SecretCipher | null
  /** Records calls. Absent: none is recorded. */
  readonly audit?: Audit
}

/** Settings of actions. */
export interface ApiSettings {
  /** The host that answers. */
  readonly host: HostName
  readonly region: string
  /** DNS zone of instances, without a final dot. */
  readonly dnsZone: string
  /**
   * Name and port that clients should use for this API, for DescribeRegions. Null: what each client
   * used.
   */
  readonly endpoint: string | null
  /** The drivers of this cloud. Every host has the same ones. */
  readonly drivers: readonly DriverDeclaration[]
  /** Maximum number of instances in one RunInstances. */
  readonly maxInstancesPerLaunch: number
  /** What launches and moves leave free for instances that others start again. */
  readonly reserve: ReservedCapacity
  /** In a change, those of the caller's account. */
  readonly quotas: Quotas
  /** How fast NICs are on this host, by instance type. */
  readonly rates: readonly TypeRate[]
  /** How many NICs instances may have, and how many addresses each, by instance type. */
  readonly nicLimits: readonly TypeNicLimit[]
  /** Where new VPCs are: each in a network of its own, or all in the root namespace. */
  readonly vpcPlace: 'own' | 'root'
  /** How packets of the VPC in the root namespace cross hosts. */
  readonly fabricMode: FabricSettings['mode']
  /** The range of a default VPC, and that of a default subnet in its first zone. */
  readonly defaultNetwork: { readonly vpc: Cidr; readonly subnet: Cidr }
  /** What floating IPs are handed out from, in order of preference. */
  readonly pools: readonly Pool[]
  /** Where flow logs may go in an object store (`isPermitted`). */
  readonly flowLogBuckets: readonly PermittedBucket[] | null
}

/** The records for one request. */
export interface RequestRecords extends Pick<Store, 'change' | 'claim'> {
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
}

export interface Call {
  readonly input: Readonly<Record<string, unknown>>
  readonly caller: Caller
  readonly parts: ApiParts
  /** Its reads may be answered from this host's replica. */
  readonly records: RequestRecords
  readonly budget: Budget
  /** Name or address, and port, that the client used to reach this API. Absent for the bus. */
  readonly authority?: string
  /** The client's IP address, for policies. Absent where none is known. */
  readonly sourceIp?: string | undefined
  /** Aborts when the client disconnects or the deadline is over. */
  readonly signal: AbortSignal
  /** Absent: the call is not recorded. */
  readonly audit?: CallAudit
}

type Commands = Exclude<
  Extract<keyof typeof ec2 | keyof typeof iam | keyof typeof sts, `${string}Command`>,
  '$Command'
>

/** The name of an EC2, IAM or STS action in the SDK's model, or of CloudTrail's only one. */
export type ActionName = (Commands extends `${infer Name}Command` ? Name : never) | 'LookupEvents'

/** An action of the API. `read.ts` and `change.ts` make them. */
export interface Action {
  /** As in the request's `Action` parameter. */
  readonly name: ActionName
  /** The schema of its parameters, except `DryRun`. */
  readonly input: z.ZodType
  /** Its filters, and whether they include those of tags. Absent for actions without filters. */
  readonly filters?: { readonly names: readonly string[]; readonly tags: boolean }
  /** Whether its answer is always empty, because Atoll has nothing of the kind. */
  readonly isAbsent?: true
  /** Returns the members of the SDK's output shape, or an empty object. */
  run(call: Call): Promise<object>
  /** It changes records (made by `changeAction`). Absent: it only reads. */
  readonly changes?: true
  /** A replica has no such records, so only the records themselves can answer. */
  readonly needsRecords?: true
}
