/** SDK calls that many tests use. */
import {
  DescribeInstancesCommand,
  type EC2Client,
  type Instance,
  RegisterImageCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { execute, smallType } from './cloud.ts'
import { eventually } from './netns.ts'

export interface InstanceCalls {
  /** Registers an image, and returns its id. */
  register(name: string, location: string): Promise<string>
  /** Launches one small instance of an image, or as `more` says, and returns all ids. */
  launch(image: string, more?: Partial<RunInstancesCommandInput>): Promise<readonly string[]>
  /** The instance in the API. Throws when it is not listed. */
  look(id: string): Promise<Instance>
  /** Waits until the API shows the instance in one of these states. */
  untilState(id: string, ...states: readonly string[]): Promise<void>
  /** Whether it answers a ping from the caller's host. */
  answers(id: string): Promise<boolean>
  untilItAnswers(id: string): Promise<void>
  /** Terminates them, and waits for that. */
  terminate(...ids: readonly string[]): Promise<void>
}

/** Calls with this client. Each wait fails after the deadline. */
export function instanceCalls(ec2: EC2Client, deadlineMs: number): InstanceCalls {
  async function look(id: string): Promise<Instance> {
    const asked = new DescribeInstancesCommand({ InstanceIds: [id] })
    const instance = (await ec2.send(asked)).Reservations?.[0]?.Instances?.[0]
    if (instance === undefined) throw new Error(`${id} is not listed`)
    return instance
  }
  async function untilState(id: string, ...states: readonly string[]): Promise<void> {
    const is = async () => states.includes((await look(id)).State?.Name ?? '')
    await eventually(`${id} is ${states.join(' or ')}`, is, deadlineMs)
  }
  async function answers(id: string): Promise<boolean> {
    const { PrivateIpAddress = '' } = await look(id)
    return (await execute('ping', ['-c', '1', '-W', '1', PrivateIpAddress])).exitCode === 0
  }
  return {
    look,
    untilState,
    answers,
    untilItAnswers: (id) => eventually(`${id} answers`, () => answers(id), deadlineMs),
    async register(name, location) {
      const asked = new RegisterImageCommand({ Name: name, ImageLocation: location })
      const { ImageId } = await ec2.send(asked)
      if (ImageId === undefined) throw new Error('RegisterImage gave no id')
      return ImageId
    },
    async launch(image, more = {}) {
      const one = {
        ImageId: image,
        InstanceType: smallType,
        MinCount: 1,
        MaxCount: 1,
        // The guests' wget has no PUT, so they cannot get a token.
        MetadataOptions: { HttpTokens: 'optional' as const },
      }
      const { Instances = [] } = await ec2.send(new RunInstancesCommand({ ...one, ...more }))
      return Instances.flatMap(({ InstanceId }) => InstanceId ?? [])
    },
    async terminate(...ids) {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [...ids] }))
      for (const id of ids) await untilState(id, 'terminated')
    },
  }
}
