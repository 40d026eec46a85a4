/** What a test's own machine with one kind of workload offers, whatever runs it. */
import type { Clock } from '../../src/lib/clock.ts'
import type { ImageWant, InstanceWant } from '../../src/model/want.ts'
import type { ImageStatus } from '../../src/plan/workloads.ts'
import type { Images, WorkloadDriver } from '../../src/workloads/driver.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'

export interface WorkloadMachine<I extends Images> {
  readonly netns: Netns
  readonly images: I
  readonly stateDir: string
  /** With the machine's clock, or another one. */
  freshDriver(clock?: Clock): WorkloadDriver
  /** Instance `n` of the image at this location, changed as given, with its NIC's host end made. */
  prepare(n: number, location: string, changes?: Partial<InstanceWant>): Promise<InstanceWant>
  /** The end of a look at an image. */
  settle(image: ImageWant): Promise<ImageStatus>
  /** Deletes the link of the instance's NIC, and makes it again. */
  loseLink(want: InstanceWant): Promise<void>
  /** Whether the instance answers a ping at its first address. */
  answers(want: InstanceWant): Promise<boolean>
  /** Runs a shell command inside and returns its output. */
  inside(want: InstanceWant, command: string): Promise<string>
  close(): Promise<void>
}

/** The parts that are the same for all. */
export function lookAndPing(
  images: Images,
  netns: Netns,
  deadlineMs: number,
): Pick<WorkloadMachine<Images>, 'settle' | 'answers'> {
  return {
    async settle(image) {
      let found = images.look(image)
      const ended = () => {
        found = images.look(image)
        return found.kind !== 'working'
      }
      await eventually(`the look at ${image.location} ends`, ended, deadlineMs)
      return found
    },
    async answers({ nics }) {
      const { exitCode } = await netns.run(['ping', '-c1', '-W1', nics[0]?.ip ?? ''])
      return exitCode === 0
    },
  }
}
