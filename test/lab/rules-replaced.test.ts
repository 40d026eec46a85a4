/**
 * A replacement of the rules loses no packet: what is accepted before and after is accepted in
 * between.
 */
import {
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cloud, createCloud } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
/**
 * As the daemon does it: the main table replaced and the guard filled again, in one transaction.
 */
const SCRIPT = [
  'add table inet atoll',
  'delete table inet atoll',
  'flush table inet atoll_guard',
  'flush set inet atoll_guard services',
  'flush set inet atoll_guard vpcs',
].join('\n')

let cloud: Cloud
beforeAll(async () => {
  cloud = await createCloud('replaced')
})
afterAll(() => cloud?.destroy())

it('loses no packet between the host and an instance', async () => {
  const register = { Name: 'latest', ImageLocation: 'docker://atoll-sample:latest' }
  const { ImageId } = await cloud.ec2.send(new RegisterImageCommand(register))
  const launch = { ImageId, InstanceType: 't3.nano', MinCount: 1, MaxCount: 1 } as const
  const { Instances: [one] = [] } = await cloud.ec2.send(new RunInstancesCommand(launch))
  const ids = { InstanceIds: [one?.InstanceId ?? ''] }
  const described = await cloud.ec2.send(new DescribeInstancesCommand(ids))
  const address = described.Reservations?.[0]?.Instances?.[0]?.PrivateIpAddress ?? ''
  const answers = async () =>
    (await cloud.netns.run(['ping', '-c', '1', '-W', '1', address])).exitCode === 0
  await eventually('it answers', answers, DEADLINE_MS)
  await cloud.stop('SIGKILL')
  const file = `${cloud.dir}/replaced.nft`
  const tables = 'nft list table inet atoll_guard; nft list table inet atoll'
  await cloud.netns.must(['sh', '-ec', `(echo '${SCRIPT}'; ${tables}) > ${file}`])

  let said = ''
  // Slower than an instance's budget for pings.
  cloud.netns.spawn(['ping', '-q', '-n', '-i', '0.006', '-c', '1000', address], (text) => {
    said += text
  })
  let replaced = 0
  await eventually(
    'the pings are over',
    async () => {
      await cloud.netns.must(['nft', '-f', file])
      replaced += 1
      return said.includes('packets transmitted')
    },
    DEADLINE_MS,
  )
  expect(replaced).toBeGreaterThan(4)
  expect(said).toMatch(/1000 received, 0% packet loss/)
})
