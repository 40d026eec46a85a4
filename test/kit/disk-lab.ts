/**
 * A lab of three whole hosts with `fence.enabled`, where virtual machines have their disks on a
 * storage that all of them reach.
 */
import {
  DescribeInstancesCommand,
  type EC2Client,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from '@aws-sdk/client-ec2'
import {
  clientOf,
  labCredentials,
  listClient,
  machineImage,
  statusOf,
} from '../../tools/drills/api.ts'
import { createLab, destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { until } from '../../tools/lab/run.ts'

const PATIENCE_MS = 120_000
const SHELL_MS = 30_000
type Tags = RunInstancesCommandInput['TagSpecifications']

/** A row of `atoll hosts --json`, as far as tests read it. */
interface HostRow {
  readonly name: string
  readonly status: string
  readonly failoverMember: boolean
  readonly fenceLevel: string | null
  readonly storage: string | null
  readonly storageFence: object | null
}

/** What the API says of an instance. */
interface Look {
  readonly state?: string
  readonly volume: string
  readonly ip: string
}

export interface DiskLab {
  readonly lab: Lab
  /** What `aws ec2 run-instances` would ask for, with these tags. */
  order(tags: Tags): RunInstancesCommandInput
  /** Launches one, waits until it runs, and returns its id. */
  launch(asked: string, tags: Tags): Promise<string>
  /** The client of the API of this host. */
  on(host: string): EC2Client
  /** Runs the command `atoll` on a host. */
  atoll(host: string, ...args: readonly string[]): Promise<string>
  /** A host that is not this one. */
  another(host: string): string
  /** Waits until `atoll hosts` on this host says so. */
  untilHosts(asked: string, are: (hosts: readonly HostRow[]) => boolean): Promise<void>
  /** Waits until all hosts may run what others may start again, and reach the storage. */
  untilAllMayRun(asked: string): Promise<void>
  look(asked: string, id: string): Promise<Look>
  untilState(asked: string, id: string, state: string): Promise<void>
  /** Waits until others may start it again. */
  untilAcknowledged(asked: string, id: string): Promise<void>
  /** The hosts that have a machine of it, by what is written down on each. */
  homes(id: string): Promise<readonly string[]>
  /** Waits until one host has it, and this is true of that host. */
  untilHome(id: string, is: (host: string) => boolean): Promise<string>
  /** Waits until the guest answers a ping of the host that has it. */
  untilAnswers(host: string, ip: string): Promise<void>
  /** Types a command into its serial line, until the shell has answered. */
  inside(host: string, id: string, command: string): Promise<string>
  close(): Promise<void>
}

/** Creates it. `storage` is its setting. The calling thread is outside of the hosts then. */
export async function openDiskLab(name: string, storage: object): Promise<DiskLab> {
  await destroyLab(name)
  const lab = await createLab({ name, config: { fence: { enabled: true }, storage } })
  await untilReady(lab)
  const leave = lab.outside.enter()
  const credentials = await labCredentials(lab)
  const all = lab.hosts.map((host) => clientOf(lab, host.name, credentials))
  const clients = new Map(lab.hosts.map((host, index) => [host.name, all[index]?.ec2]))
  const image = await machineImage(listClient(all, PATIENCE_MS), lab.hosts)
  return {
    ...{ lab, ...talk(lab, clients, image), ...watch(lab) },
    async close() {
      leave()
      for (const ec2 of clients.values()) ec2?.destroy()
      await destroyLab(name)
    },
  }
}

function talk(lab: Lab, clients: ReadonlyMap<string, EC2Client | undefined>, image: string) {
  const on: DiskLab['on'] = (host) => {
    const ec2 = clients.get(host)
    if (ec2 === undefined) throw new Error(`no client of ${host}`)
    return ec2
  }
  const order: DiskLab['order'] = (tags) => ({
    ...{ ImageId: image, MinCount: 1, MaxCount: 1, TagSpecifications: tags },
  })
  const look: DiskLab['look'] = async (asked, id) => {
    const { Reservations = [] } = await on(asked).send(
      new DescribeInstancesCommand({ InstanceIds: [id] }),
    )
    const found = Reservations[0]?.Instances?.[0] ?? {}
    const { State, BlockDeviceMappings = [], PrivateIpAddress: ip = '' } = found
    const volume = BlockDeviceMappings[0]?.Ebs?.VolumeId ?? ''
    return { ...(State?.Name === undefined ? {} : { state: State.Name }), volume, ip }
  }
  const untilState: DiskLab['untilState'] = async (asked, id, state) => {
    await until(`it is ${state}`, PATIENCE_MS, async () => {
      // A busy host may not take a connection within the client's 250 ms. That is no state.
      const found = await look(asked, id).catch((error: unknown) => {
        if (statusOf(error) !== null) throw error
        return null
      })
      return found?.state === state ? true : null
    })
  }
  return {
    ...{ on, order, look, untilState },
    another: (host: string) => lab.hosts.find((one) => one.name !== host)?.name ?? '',
    launch: async (asked: string, tags: Tags) => {
      const { Instances = [] } = await on(asked).send(new RunInstancesCommand(order(tags)))
      const id = Instances[0]?.InstanceId ?? ''
      await untilState(asked, id, 'running')
      return id
    },
  }
}

function watch(lab: Lab) {
  const untilHosts: DiskLab['untilHosts'] = async (asked, are) => {
    await until('all hosts are so', PATIENCE_MS, async () => {
      const options = { timeoutMs: PATIENCE_MS }
      const said = await lab.host(asked).exec(['atoll', 'hosts', '--json'], options)
      return said.exitCode === 0 && are(JSON.parse(said.stdout)) ? true : null
    })
  }
  const homes: DiskLab['homes'] = async (id) => {
    const found: string[] = []
    for (const host of lab.hosts) {
      if (!(await host.isOn())) continue
      const { exitCode } = await host.exec(['test', '-e', `/var/lib/atoll/machines/${id}`])
      if (exitCode === 0) found.push(host.name)
    }
    return found
  }
  return {
    ...{ untilHosts, homes },
    atoll: (host: string, ...args: readonly string[]) =>
      lab.host(host).must(['atoll', ...args], { timeoutMs: PATIENCE_MS }),
    untilAllMayRun: (asked: string) =>
      untilHosts(
        asked,
        (hosts) =>
          hosts.length === lab.hosts.length &&
          hosts.every(
            ({ status, failoverMember, fenceLevel, storage }) =>
              status === 'active' && failoverMember && fenceLevel === 'muted' && storage !== null,
          ),
      ),
    async untilAcknowledged(asked: string, id: string) {
      const sql = `SELECT recoverAcknowledged FROM atoll.instances WHERE id = '${id}'`
      await until('it may be taken over', PATIENCE_MS, async () => {
        const said = await lab.host(asked).exec(['mariadb', '-N', '-e', sql])
        return said.stdout.trim() === 'recover' ? true : null
      })
    },
    untilHome: (id: string, is: (host: string) => boolean) =>
      until('one host has it', PATIENCE_MS, async () => {
        const [host = '', ...others] = await homes(id)
        return others.length === 0 && host !== '' && is(host) ? host : null
      }),
    async untilAnswers(host: string, ip: string) {
      await until('the guest answers', PATIENCE_MS, async () => {
        const { exitCode } = await lab.host(host).exec(['ping', '-q', '-c', '1', '-W', '1', ip])
        return exitCode === 0 ? true : null
      })
    },
    inside: (host: string, id: string, command: string) => {
      const typed = `echo "be"gin; ${command}; echo; echo "en"d`
      const line = `{ echo; echo '${typed}'; sleep 3; } | atoll console ${id}`
      return until(`the guest ran ${command}`, PATIENCE_MS, async () => {
        const { stdout } = await lab.host(host).exec(['sh', '-c', line], { timeoutMs: SHELL_MS })
        return /begin\s+([\s\S]*?)\s+end/.exec(stdout)?.[1]?.trim() ?? null
      })
    },
  }
}
