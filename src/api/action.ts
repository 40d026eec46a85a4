/**
 * An API action: its name, the schema of its parameters, and the function that answers.
 *
 * Before it runs, the transport has decoded the request into an object with the member names and
 * types of `@aws-sdk/client-ec2` (`{ InstanceIds: ['i-…'], MaxResults: 5 }`) and refused unknown
 * members. The action checks limits and meaning with zod and returns an object with the SDK's
 * output members, which the transport encodes. Refusals are `AtollError`s.
 */
import type * as ec2 from '@aws-sdk/client-ec2'
import type * as sts from '@aws-sdk/client-sts'
import type { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turns } from '../lib/turns.ts'
import type { DriverDeclaration } from '../model/driver.ts'
import type { AccountId, HostName } from '../model/ids.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import type { ReadTx, Store } from '../store/store.ts'
import type { Budget } from './budget.ts'
import type { KeyGeneration } from './key-generation.ts'
import type { Keyring } from './keyring.ts'
import type { Catalogue } from './launch/catalogue.ts'

/** Who asks, as proved by the signature. */
export interface Caller {
  readonly account: AccountId
  readonly user: string
  readonly accessKey: string
}

/** What actions work with. */
export interface ApiParts {
  /** Actions use it as the `records` of their call. */
  readonly store: InformedStore
  readonly bus: Bus
  /** What launches choose from. */
  readonly catalogue: Catalogue
  readonly clock: Clock
  /** Of the event loop, which long work shares with all of this host's services. */
  readonly turns: Turns
  readonly keyGeneration: KeyGeneration
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array
  readonly settings: ApiSettings
  /** Left out: keys are in the records in clear. */
  readonly keys?: Keyring
}

/** What actions go by. */
export interface ApiSettings {
  /** The host that answers. */
  readonly host: HostName
  readonly region: string
  /** DNS zone of instances, without a final dot. */
  readonly dnsZone: string
  /**
   * Name and port under which clients are to reach this API, for DescribeRegions; null: the one
   * that each of them used.
   */
  readonly endpoint: string | null
  /** What runs instances in this cloud: every host has the same drivers. */
  readonly drivers: readonly DriverDeclaration[]
  /** Most instances that one RunInstances may ask for. */
  readonly maxInstancesPerLaunch: number
  readonly quotas: Quotas
}

/** How many of each an account may have. */
interface Quotas {
  readonly securityGroupsPerVpc: number
  /** In each direction. */
  readonly rulesPerSecurityGroup: number
  readonly securityGroupsPerInterface: number
}

/** The records as one request uses them. */
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
  /**
   * Name or address, and port, under which the client reached this API; left out by doors that have
   * none.
   */
  readonly authority?: string
  /** Aborts when the client is gone or the deadline is over. */
  readonly signal: AbortSignal
}

type Commands = Exclude<
  Extract<keyof typeof ec2 | keyof typeof sts, `${string}Command`>,
  '$Command'
>

/** The name of an action of EC2 or STS, as the SDK's model has it. */
export type ActionName = Commands extends `${infer Name}Command` ? Name : never

/** An action of the API. `read.ts` and `change.ts` make them. */
export interface Action {
  /** As in the request's `Action` parameter. */
  readonly name: ActionName
  /** What its parameters must be, but for `DryRun`. */
  readonly input: z.ZodType
  /**
   * The filters that it goes by, and whether those of tags are among them; left out by actions
   * without filters.
   */
  readonly filters?: { readonly names: readonly string[]; readonly tags: boolean }
  /** Whether its answer is always empty, because there is nothing of the kind. */
  readonly isAbsent?: true
  /**
   * Answers in the member names of the SDK's output shape; an empty object for actions without
   * output.
   */
  run(call: Call): Promise<object>
  /** It changes records, and was made by `changeAction`; left out: it only reads. */
  readonly changes?: true
}
