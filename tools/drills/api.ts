/**
 * EC2 clients outside the lab: the real SDK without retries, so that every failed request counts.
 */
import { Agent } from 'node:https'
import { join } from 'node:path'
import {
  CreatePlacementGroupCommand,
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribePlacementGroupsCommand,
  EC2Client,
  type Instance,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { smallType } from '../kit/cloud.ts'
import { tinyGuest } from '../kit/tiny-guest.ts'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'

const LISTED_MS = 60_000
const CONNECT_MS = 250
const SAMPLE = { name: 'drill', location: 'docker://atoll-sample:static' }
const ATOLL = join(import.meta.dirname, '../../bin/atoll')
/** The directory of published images on each host. */
const PUBLISHED = '/var/lib/atoll/images'
const PUBLISH_MS = 60_000
const CREDENTIALS_FILE = '/var/lib/atoll/credentials.json'
const credentialsSchema = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  region: z.string(),
  /** The CA (PEM) of the cluster. */
  ca: z.string(),
})

export type LabCredentials = z.output<typeof credentialsSchema>

/** The access key of the lab's first account, the same on all hosts. */
export async function labCredentials(lab: Lab): Promise<LabCredentials> {
  for (const host of lab.hosts) {
    const { exitCode, stdout } = await host.exec(['cat', CREDENTIALS_FILE])
    if (exitCode === 0)
      return credentialsSchema.parse({ ...JSON.parse(stdout), ca: await host.authority() })
  }
  throw new Error(`no host of the lab has ${CREDENTIALS_FILE}`)
}

export interface ApiClient {
  readonly host: string
  readonly ec2: EC2Client
  /**
   * The time of the replica that gave the last answer. Null when the answer came from the database.
   */
  asOf(): string | null
}

/**
 * A client of one host. Each request opens a connection, so that a host without power is noticed
 * when connecting, long before an answer is late.
 */
export function clientOf(lab: Lab, host: string, credentials: LabCredentials): ApiClient {
  const { region, accessKeyId, secretAccessKey } = credentials
  const ec2 = new EC2Client({
    endpoint: lab.host(host).endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestHandler: {
      httpsAgent: new Agent({ keepAlive: false, ca: credentials.ca }),
      connectionTimeout: CONNECT_MS,
    },
  })
  let asOf: string | null = null
  ec2.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      asOf = headerOf(result.response, 'x-atoll-records-as-of')
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'asOf' },
  )
  return { host, ec2, asOf: () => asOf }
}

function headerOf(response: unknown, name: string): string | null {
  const parsed = z.object({ headers: z.record(z.string(), z.string()) }).safeParse(response)
  return parsed.success ? (parsed.data.headers[name] ?? null) : null
}

/** The HTTP status of a refusal. Null when there was no answer. */
export function statusOf(error: unknown): number | null {
  const parsed = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) }).safeParse(error)
  return parsed.success ? parsed.data.$metadata.httpStatusCode : null
}

/**
 * A client with a list of endpoints. It asks the one that answered last, then the next one.
 */
export interface ListClient {
  send<T>(work: (ec2: EC2Client, abortSignal: AbortSignal) => Promise<T>): Promise<T>
}

/**
 * `timeoutMs` is the limit of one attempt at one endpoint. All are tried once. Refusals (4xx) are
 * answers.
 */
export function listClient(clients: readonly ApiClient[], timeoutMs: number): ListClient {
  let first = 0
  return {
    async send(work) {
      let failure: unknown
      for (const attempt of clients.keys()) {
        const index = (first + attempt) % clients.length
        const client = clients[index]
        if (client === undefined) break
        try {
          const answer = await work(client.ec2, AbortSignal.timeout(timeoutMs))
          first = index
          return answer
        } catch (error) {
          const status = statusOf(error)
          if (status !== null && status < 500) throw error
          failure = error
        }
      }
      throw failure
    },
  }
}

/** The image of the sample container. Registered if it is not yet. */
export function sampleImage(list: ListClient): Promise<string> {
  return registered(list, SAMPLE)
}

/** An image that the Docker Engines of all hosts have. Registered if it is not yet. */
export function localImage(list: ListClient, name: string): Promise<string> {
  return registered(list, { name: name.replace(/[^a-z]/g, '-'), location: `docker://${name}` })
}

/**
 * The image of a small virtual machine. It is published on each host, because all see this
 * machine's /tmp.
 */
export async function machineImage(list: ListClient, hosts: readonly LabHost[]): Promise<string> {
  const { kernelPath, initrdPath } = await tinyGuest()
  const location = `kernel=${PUBLISHED}/vmlinuz,initrd=${PUBLISHED}/initrd.img`
  for (const host of hosts)
    for (const file of [kernelPath, initrdPath])
      await host.must([ATOLL, 'image', 'publish', '--replace', file], { timeoutMs: PUBLISH_MS })
  return registered(list, { name: 'drill-machine', location })
}

async function registered(
  list: ListClient,
  { name, location }: { readonly name: string; readonly location: string },
): Promise<string> {
  const find = async () => {
    const { Images = [] } = await list.send((ec2, abortSignal) =>
      ec2.send(new DescribeImagesCommand({ Owners: ['self'] }), { abortSignal }),
    )
    return Images.find(({ Name }) => Name === name)?.ImageId ?? null
  }
  const known = await find()
  if (known !== null) return known
  try {
    const { ImageId = '' } = await list.send((ec2, abortSignal) =>
      ec2.send(new RegisterImageCommand({ Name: name, ImageLocation: location }), { abortSignal }),
    )
    return ImageId
  } catch (error) {
    // A host may have registered it and answered too late.
    if (!(error instanceof Error) || error.name !== 'InvalidAMIName.Duplicate') throw error
    return await until(`the image ${name} is listed`, LISTED_MS, find)
  }
}

/** What a launch may have besides. */
interface LaunchOptions {
  /** Absent: the default one. */
  readonly subnet?: string
  readonly tags?: readonly { readonly Key: string; readonly Value: string }[]
  /** By name. */
  readonly placementGroup?: string
}

/** The placement group of this name, which keeps to one host. Made if it is not there. */
export async function clusterGroup(list: ListClient, name: string): Promise<string> {
  const { PlacementGroups = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribePlacementGroupsCommand({}), { abortSignal }),
  )
  if (!PlacementGroups.some(({ GroupName }) => GroupName === name))
    await list.send((ec2, abortSignal) =>
      ec2.send(new CreatePlacementGroupCommand({ GroupName: name, Strategy: 'cluster' }), {
        abortSignal,
      }),
    )
  return name
}

/** Launches `count` instances in one request. A repetition with the same token is the same one. */
export async function launch(
  list: ListClient,
  image: string,
  count: number,
  token: string,
  { subnet, tags, placementGroup }: LaunchOptions = {},
): Promise<readonly string[]> {
  const command = new RunInstancesCommand({
    ImageId: image,
    ...(subnet === undefined ? {} : { SubnetId: subnet }),
    ...(placementGroup === undefined ? {} : { Placement: { GroupName: placementGroup } }),
    ...(tags === undefined
      ? {}
      : { TagSpecifications: [{ ResourceType: 'instance', Tags: [...tags] }] }),
    InstanceType: smallType,
    MinCount: count,
    MaxCount: count,
    ClientToken: token,
  })
  const { Instances = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(command, { abortSignal }),
  )
  return Instances.map(({ InstanceId = '' }) => InstanceId)
}

export async function terminate(list: ListClient, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const command = new TerminateInstancesCommand({ InstanceIds: [...ids] })
  await list.send((ec2, abortSignal) => ec2.send(command, { abortSignal }))
}

/** All instances that are not terminated. */
export async function describe(list: ListClient): Promise<readonly Instance[]> {
  const { Reservations = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeInstancesCommand({}), { abortSignal }),
  )
  return Reservations.flatMap(({ Instances = [] }) => Instances).filter(
    (one) => one.State?.Name !== 'terminated',
  )
}

/** These instances, even if terminated. */
export async function describeAll(
  list: ListClient,
  ids: readonly string[],
): Promise<readonly Instance[]> {
  const command = new DescribeInstancesCommand({ InstanceIds: [...ids] })
  const { Reservations = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(command, { abortSignal }),
  )
  return Reservations.flatMap(({ Instances = [] }) => Instances)
}

/** A read request. */
export async function readOnce(
  ec2: EC2Client,
  id: string,
  abortSignal: AbortSignal,
): Promise<void> {
  await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }), { abortSignal })
}

/** A write request. */
export async function writeOnce(
  ec2: EC2Client,
  id: string,
  key: string,
  abortSignal: AbortSignal,
): Promise<void> {
  const Tags = [{ Key: key, Value: String(Date.now()) }]
  await ec2.send(new CreateTagsCommand({ Resources: [id], Tags }), { abortSignal })
}

/**
 * The system status of an instance according to this client's host: `ok`, `impaired`,
 * `initializing`, …. Null when there is none.
 */
export async function systemStatus(client: ApiClient, id: string): Promise<string | null> {
  const command = new DescribeInstanceStatusCommand({
    InstanceIds: [id],
    IncludeAllInstances: true,
  })
  const abortSignal = AbortSignal.timeout(1000)
  const answer = await client.ec2.send(command, { abortSignal }).catch(() => null)
  return answer?.InstanceStatuses?.[0]?.SystemStatus?.Status ?? null
}
