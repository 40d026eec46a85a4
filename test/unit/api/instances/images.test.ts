/** Images: what may be registered, who sees it, and when it goes. */
import { describe, expect, it } from 'vitest'
import { deregisterImage } from '../../../../src/api/actions/deregister-image.ts'
import { describeImages } from '../../../../src/api/actions/describe-images.ts'
import { registerImage } from '../../../../src/api/actions/register-image.ts'
import { BOB, everything, openCloud } from '../../../kit/api-cloud.ts'
import { failAt } from '../../../kit/failing-store.ts'

describe('images', () => {
  const input = { Name: 'web', ImageLocation: 'docker://debian:12' }

  it('are registered as pending, for this host to look at', async () => {
    await using cloud = await openCloud()
    const { ImageId } = await cloud.run(registerImage, {
      ...input,
      TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: 'b' }] }],
    })
    expect(cloud.rung).toEqual(['host1'])
    expect(await cloud.run(describeImages, { ImageIds: [ImageId] })).toMatchObject({
      Images: [
        {
          ImageId,
          Name: 'web',
          State: 'pending',
          ImageLocation: 'docker://debian:12',
          Architecture: 'x86_64',
          Public: false,
          Tags: [{ Key: 'a', Value: 'b' }],
        },
      ],
    })
    expect(await cloud.refusal(registerImage, input)).toBe('InvalidAMIName.Duplicate')
    expect(await cloud.refusal(describeImages, { ImageIds: [ImageId] }, BOB)).toBe(
      'InvalidAMIID.NotFound',
    )
    expect(await cloud.refusal(deregisterImage, { ImageId }, BOB)).toBe('InvalidAMIID.NotFound')
    await cloud.run(deregisterImage, { ImageId })
    expect(await cloud.run(describeImages, { ImageIds: [ImageId] })).toEqual({ Images: [] })
    // EC2 tells an image that is gone from one that never was.
    expect(await cloud.refusal(deregisterImage, { ImageId })).toBe('InvalidAMIID.Unavailable')
    expect(await cloud.refusal(deregisterImage, { ImageId }, BOB)).toBe('InvalidAMIID.NotFound')
    expect((await cloud.store.read((tx) => tx.tags({}))).length).toBe(0)
  })

  it('may be pending only so many of one account', async () => {
    await using cloud = await openCloud()
    const register = (n: number) => ({ ...input, Name: `image-${n}` })
    const ids: string[] = []
    for (let n = 0; n < 20; n += 1) {
      const { ImageId } = await cloud.run(registerImage, register(n))
      ids.push(String(ImageId))
    }
    expect(await cloud.refusal(registerImage, register(20))).toBe('ResourceLimitExceeded')
    await cloud.run(registerImage, register(20), BOB)
    await cloud.run(deregisterImage, { ImageId: ids[0] })
    await cloud.run(registerImage, register(20))
  })

  it('leave nothing behind when the records fail', async () => {
    await using cloud = await openCloud()
    const before = await everything(cloud.store)
    for (let k = 1; ; k += 1) {
      const failing = failAt(cloud.store, k)
      await cloud.runOn(failing.store, registerImage, input).catch(() => undefined)
      if (failing.calls() < k) break
      expect(await everything(cloud.store)).toEqual(before)
      expect(cloud.rung).toEqual([])
    }
  })

  it.each([
    'docker://busybox',
    'docker://atoll-sample:latest',
    'docker://registry.example:5000/team/app:v1.2',
    `docker://app@sha256:${'a'.repeat(64)}`,
    'file:///var/lib/images/rootfs.tar',
    'file:///rootfs.tgz',
  ])('may lie at %s', async (ImageLocation) => {
    await using cloud = await openCloud()
    await cloud.run(registerImage, { ...input, ImageLocation })
  })

  it.each([
    'debian:12',
    'docker://',
    'docker:// debian',
    'docker://Upper/Case/../x',
    'docker://a b',
    'docker://-rf',
    'file://rootfs.tar',
    'file:///etc/shadow',
    'file:///srv/root fs.tar.gz',
    'file:///srv/../etc/x.tar',
    'file:///srv//x.tar\u0000',
    'https://example.com/rootfs.tar',
    `docker://${'a'.repeat(2000)}`,
  ])('may not lie at %j', async (ImageLocation) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(registerImage, { ...input, ImageLocation })).toBe(
      'InvalidParameterValue',
    )
  })

  it.each([
    [{ Name: 'ab' }, 'InvalidAMIName.Malformed'],
    [{ Name: 'a'.repeat(129) }, 'InvalidAMIName.Malformed'],
    [{ Name: 'a&b<c' }, 'InvalidAMIName.Malformed'],
    [{ ImageLocation: undefined }, 'MissingParameter'],
    [{ BlockDeviceMappings: [{}] }, 'UnsupportedOperation'],
    [{ VirtualizationType: 'paravirtual' }, 'UnsupportedOperation'],
  ])('%j is refused', async (more, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(registerImage, { ...input, ...more })).toBe(code)
  })

  it.each([
    [{}, 1],
    [{ Owners: ['self'] }, 1],
    [{ Owners: ['000000000001'] }, 1],
    [{ Owners: ['amazon'] }, 0],
    [{ ExecutableUsers: ['all'] }, 0],
    [{ Filters: [{ Name: 'name', Values: ['sam*'] }] }, 1],
    [{ Filters: [{ Name: 'state', Values: ['failed'] }] }, 0],
  ])('%j shows %i', async (given, count) => {
    await using cloud = await openCloud()
    expect((await cloud.run(describeImages, given))['Images']).toHaveLength(count)
  })
})
