/**
 * Packer as Debian packages it: its builder `amazon-ebs` launches an instance, provisions it over
 * SSH, and makes an image of it, from which another instance is launched.
 */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DescribeImagesCommand, DescribeInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect } from 'vitest'
import { eventually } from '../../tools/kit/netns.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'
import { makeSshImage, SSH_IMAGE } from '../kit/ssh-image.ts'

const report = reportOf(
  'Packer',
  () => debianVersion('packer'),
  'The builder `amazon-ebs` from a template to a finished image.',
)

let at: ClientCloud
let source: string
beforeAll(async () => {
  at = await openClientCloud('packer')
  await makeSshImage(at.cloud.docker.socketPath)
  source = await at.calls.register('ssh', `docker://${SSH_IMAGE}`)
})
afterAll(() => at?.[Symbol.asyncDispose]())

/** A template that makes an image of this name. `more` are further settings of the builder. */
async function build(name: string, more: object = {}) {
  const { endpoint, region, accessKeyId, secretAccessKey } = at.cloud.credentials
  const builder = {
    ...{ type: 'amazon-ebs', region, access_key: accessKeyId, secret_key: secretAccessKey },
    ...{
      custom_endpoint_ec2: endpoint,
      skip_region_validation: true,
      skip_metadata_api_check: true,
    },
    ...{ source_ami: source, instance_type: 't3.micro', ami_name: name },
    ...{ ssh_username: 'root', ssh_interface: 'private_ip', ssh_timeout: '5m' },
    ...{ tags: { Built: 'packer' }, run_tags: { Name: 'builder' }, ami_description: 'made' },
    ...more,
  }
  const provisioners = [{ type: 'shell', inline: ['echo provisioned >/root/provisioned'] }]
  const file = join(at.cloud.dir, `${name}.json`)
  await writeFile(file, JSON.stringify({ builders: [builder], provisioners }))
  const ran = await at.run('packer', ['build', '-color=false', file], {
    CHECKPOINT_DISABLE: '1',
    AWS_POLL_DELAY_SECONDS: '1',
  })
  expect(ran.exitCode, `${ran.stdout}\n${ran.stderr}`).toBe(0)
  const images = new DescribeImagesCommand({ Filters: [{ Name: 'name', Values: [name] }] })
  const [image] = (await at.cloud.ec2.send(images)).Images ?? []
  return image
}

report.passes(
  'amazon-ebs makes an image, and an instance of it has what was provisioned',
  async () => {
    const image = await build('packed')
    expect(image).toMatchObject({ State: 'available', Description: 'made' })
    expect(image?.Tags).toContainEqual({ Key: 'Built', Value: 'packer' })
    const [id = ''] = await at.calls.launch(image?.ImageId ?? '')
    await at.calls.untilState(id, 'running')
    await eventually(
      'the instance has the file',
      async () =>
        (await at.cloud.inside(id, ['cat', '/root/provisioned'])).stdout === 'provisioned\n',
      60_000,
    )
  },
  900_000,
)

report.passes(
  'amazon-ebs finds its source by a filter, and replaces an image of the name',
  async () => {
    const filter = { filters: { name: 'ssh' }, owners: ['self'], most_recent: true }
    const image = await build('packed', {
      ...{ source_ami: undefined, source_ami_filter: filter },
      ...{ force_deregister: true, ami_users: ['111122223333'] },
    })
    expect(image).toMatchObject({ State: 'available' })
  },
  900_000,
)

report.passes('amazon-ebs leaves nothing but the image', async () => {
  const made = new DescribeInstancesCommand({
    Filters: [
      { Name: 'tag:Name', Values: ['builder'] },
      { Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped'] },
    ],
  })
  expect((await at.cloud.ec2.send(made)).Reservations).toEqual([])
  await rm(join(at.cloud.dir, 'packed.json'))
})

const VOLUMES = 'Atoll has no volumes of their own and no snapshots yet'
report.excludes('amazon-ebssurrogate, amazon-ebsvolume, amazon-chroot', VOLUMES)
report.excludes('force_delete_snapshot, snapshot_tags, snapshot_users', VOLUMES)
report.excludes('spot_price', 'Atoll sells nothing')
