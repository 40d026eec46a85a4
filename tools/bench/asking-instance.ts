/** An instance whose network namespace asks DNS and DHCP all the time, for benchmarks. */
import {
  type _InstanceType,
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { configSchema } from '../../src/config.ts'
import { gatewayOf } from '../../src/model/addr.ts'
import type { Cloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import { firstAnswers } from './pinger.ts'
import { type ServiceWatch, watchServices } from './service-watch.ts'

/** Has no DHCP client of its own, which would answer for port 68. */
export const STATIC_IMAGE = 'atoll-sample:static'
const RUNS_MS = 60_000

/** The instance, its image, and what watches its questions. */
export interface AskingInstance {
  readonly id: string
  readonly image: string
  readonly watch: ServiceWatch
}

/** Launches it, and starts asking. */
export async function askingInstance({ ec2, docker }: Cloud): Promise<AskingInstance> {
  const named = { Name: 'asking', ImageLocation: `docker://${STATIC_IMAGE}` }
  const { ImageId: image = '' } = await ec2.send(new RegisterImageCommand(named))
  const asked = { ImageId: image, InstanceType: 'at1.nano' as _InstanceType }
  const { Instances: [instance] = [] } = await ec2.send(
    new RunInstancesCommand({ ...asked, MinCount: 1, MaxCount: 1 }),
  )
  const { InstanceId: id = '', PrivateIpAddress: address = '' } = instance ?? {}
  await firstAnswers([address], RUNS_MS)
  const runs = async () => {
    const { Reservations: [found] = [] } = await ec2.send(
      new DescribeInstancesCommand({ InstanceIds: [id] }),
    )
    return found?.Instances?.[0]?.State?.Name === 'running'
  }
  await eventually('the asking instance runs', runs, RUNS_MS)
  const watch = await watchServices({
    pid: (await docker.docker.getContainer(`atoll-${id}`).inspect()).State.Pid,
    ...{ address, name: `${id}.atoll.internal` },
    mac: instance?.NetworkInterfaces?.[0]?.MacAddress ?? '',
    gateway: gatewayOf(configSchema.parse({}).network.subnet),
  })
  return { id, image, watch }
}
