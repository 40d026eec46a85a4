/** What a test's own machine with one kind of workload offers, whatever runs it. */
import type { Host } from '../../src/host/host.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { nicLinkName } from '../../src/model/names.ts'
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
  /** Whether it answers the host's ARP question; null: it has no link. */
  answersArp(want: InstanceWant): Promise<boolean | null>
  /** Its process: of a container, its first. */
  pidOf(want: InstanceWant): Promise<number>
  /** Runs a shell command inside and returns its output. */
  inside(want: InstanceWant, command: string): Promise<string>
  close(): Promise<void>
}

/** The parts that are the same for all. */
export function lookAndPing(
  {
    images,
    netns,
    host,
  }: {
    readonly images: Images
    readonly netns: Netns
    readonly host: Pick<Host, 'answersArp'>
  },
  deadlineMs: number,
): Pick<WorkloadMachine<Images>, 'settle' | 'answers' | 'answersArp'> {
  return {
    async answersArp({ nics: [nic] }) {
      if (nic === undefined) throw new Error('an instance without a NIC')
      return await host.answersArp(nicLinkName(nic.id), nic, systemClock)
    },
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
