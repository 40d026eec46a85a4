/**
 * A user who may do less than it wants: what a policy denies comes by way of a launch template, of
 * an id instead of a name, of tags that the request does not name, of a dry run, of a signature
 * that was made for something else.
 *
 * Before: tags and the placement group of a launch template were not compared, so an instance got
 * tags without the right to tag. A statement on a key pair's name did not hold for its id. All tags
 * of a resource could be deleted, or copied with an image, against a statement that denies one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signedHeaders } from '../kit/signed.ts'
import { EC2, EVERYTHING, openSignedCloud, type SignedCloud } from '../kit/signed-cloud.ts'

let at: SignedCloud
beforeAll(async () => {
  at = await openSignedCloud()
})
afterAll(() => at?.[Symbol.asyncDispose]())

describe('a policy', () => {
  const allow = (Action: string | readonly string[], more: object = {}) => ({
    ...{ Effect: 'Allow', Action, Resource: '*' },
    ...more,
  })
  const deny = (Action: string, more: object) => ({
    ...{ Effect: 'Deny', Action, Resource: '*' },
    ...more,
  })
  const arn = (rest: string) => `arn:aws:ec2:*:*:${rest}`
  const launch = { InstanceType: 't3.micro', MinCount: '1', MaxCount: '1' }

  it('compares what a launch template gives, too', async () => {
    const LaunchTemplateName = 'with-tags'
    const tagged = [{ ResourceType: 'instance', Tags: [{ Key: 'team', Value: 'blue' }] }]
    await at.admin('CreatePlacementGroup', { GroupName: 'prod' })
    await at.admin('CreateLaunchTemplate', {
      LaunchTemplateName,
      LaunchTemplateData: {
        ...{ ImageId: at.cloud.image, InstanceType: 't3.micro', TagSpecifications: tagged },
        Placement: { GroupName: 'prod' },
      },
    })
    const from = { ...launch, 'LaunchTemplate.LaunchTemplateName': LaunchTemplateName }
    const codeWith = async (...statements: readonly object[]) =>
      await at.codeOf((await at.user(statements)).keys, 'RunInstances', from)
    expect(await codeWith(allow('ec2:RunInstances'))).toBe('UnauthorizedOperation')
    expect(await codeWith(allow(['ec2:RunInstances', 'ec2:CreateTags']))).toBe('OK')
    const blue = { StringEquals: { 'aws:RequestTag/team': 'blue' } }
    expect(await codeWith(EC2, deny('ec2:RunInstances', { Condition: blue }))).toBe(
      'UnauthorizedOperation',
    )
    const prod = { Resource: arn('placement-group/prod') }
    expect(await codeWith(EC2, deny('ec2:RunInstances', prod))).toBe('UnauthorizedOperation')
  })

  it('that denies a key pair by its name denies it by its id', async () => {
    const made = async (KeyName: string) =>
      (await at.admin('CreateKeyPair', { KeyName, KeyType: 'ed25519' })) as { KeyPairId: string }
    const { KeyPairId } = await made('prod')
    const dev = await at.user([EC2, deny('ec2:*', { Resource: arn('key-pair/prod') })])
    expect(await at.codeOf(dev.keys, 'DeleteKeyPair', { KeyName: 'prod' })).toBe(
      'UnauthorizedOperation',
    )
    expect(await at.codeOf(dev.keys, 'DeleteKeyPair', { KeyPairId })).toBe('UnauthorizedOperation')
    const tag = { 'ResourceId.1': KeyPairId, 'Tag.1.Key': 'a', 'Tag.1.Value': 'b' }
    expect(await at.codeOf(dev.keys, 'CreateTags', tag)).toBe('UnauthorizedOperation')
    // Each of several is compared, by its own tags.
    const other = await made('dev')
    await at.admin('CreateTags', { Resources: [KeyPairId], Tags: [{ Key: 'env', Value: 'prod' }] })
    const ofProd = { StringEquals: { 'aws:ResourceTag/env': 'prod' } }
    const more = await at.user([EC2, deny('ec2:CreateTags', { Condition: ofProd })])
    const one = { 'Tag.1.Key': 'a', 'Tag.1.Value': 'b', 'ResourceId.1': other.KeyPairId }
    expect(await at.codeOf(more.keys, 'CreateTags', one)).toBe('OK')
    const both = { ...one, 'ResourceId.1': KeyPairId, 'ResourceId.2': other.KeyPairId }
    expect(await at.codeOf(more.keys, 'CreateTags', both)).toBe('UnauthorizedOperation')
  })

  it('that denies a tag counts for tags that a request does not name', async () => {
    const owner = { 'ForAnyValue:StringEquals': { 'aws:TagKeys': 'owner' } }
    const dev = await at.user([
      EC2,
      deny('ec2:DeleteTags', { Condition: owner }),
      deny('ec2:CreateTags', { Condition: owner }),
    ])
    const Tags = [{ Key: 'owner', Value: 'ops' }]
    await at.admin('CreateTags', { Resources: [at.cloud.image], Tags })
    const of = { 'ResourceId.1': at.cloud.image }
    expect(await at.codeOf(dev.keys, 'DeleteTags', { ...of, 'Tag.1.Key': 'owner' })).toBe(
      'UnauthorizedOperation',
    )
    expect(await at.codeOf(dev.keys, 'DeleteTags', of)).toBe('UnauthorizedOperation')
    expect(await at.codeOf(dev.keys, 'DeleteTags', { ...of, 'Tag.1.Key': 'a' })).toBe('OK')
    const copy = { SourceImageId: at.cloud.image, SourceRegion: 'atoll', Name: 'a-copy' }
    expect(await at.codeOf(dev.keys, 'CopyImage', { ...copy, CopyImageTags: 'true' })).toBe(
      'UnauthorizedOperation',
    )
    expect(await at.codeOf(dev.keys, 'CopyImage', copy)).toBe('OK')
  })

  it('decides a dry run as it decides the request', async () => {
    const none = await at.user([])
    const mine = at.cloud.image
    for (const [action, input] of [
      ['RunInstances', { ImageId: mine, ...launch }],
      ['TerminateInstances', { 'InstanceId.1': `i-${'0'.repeat(17)}` }],
      ['DeregisterImage', { ImageId: mine }],
    ] as const)
      expect(await at.codeOf(none.keys, action, { ...input, DryRun: 'true' })).toBe(
        'UnauthorizedOperation',
      )
  })
})

describe('a signature', () => {
  it('in a query string proves nothing, whatever its time', async () => {
    const { keys } = await at.user([EVERYTHING])
    const scope = `${keys.id}/20261129/atoll/ec2/aws4_request`
    const query = new URLSearchParams({
      ...{ Action: 'DescribeVpcs', 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256' },
      ...{ 'X-Amz-Credential': scope, 'X-Amz-Date': '20261129T080000Z', 'X-Amz-Expires': '604800' },
      ...{ 'X-Amz-SignedHeaders': 'host', 'X-Amz-Signature': 'a'.repeat(64) },
    })
    const answer = await fetch(`${at.api.url}/?${query}`)
    expect([answer.status, await answer.text()]).toEqual([
      403,
      expect.stringContaining('MissingAuthenticationToken'),
    ])
  })

  it('is good for one host name, one body and one quarter of an hour', async () => {
    const { keys } = await at.user([EVERYTHING])
    const body = 'Action=DescribeVpcs'
    const status = async (host: string, sent: string, atMs: number) => {
      const { host: _, ...headers } = signedHeaders({ body, host }, keys, atMs)
      return (await fetch(at.api.url, { method: 'POST', body: sent, headers })).status
    }
    const own = `127.0.0.1:${at.api.port}`
    expect(await status(own, body, at.nowMs())).toBe(200)
    expect(await status('ec2.other.example', body, at.nowMs())).toBe(401)
    expect(await status(own, 'Action=DescribeSubnets', at.nowMs())).toBe(401)
    expect(await status(own, body, at.nowMs() - 16 * 60_000)).toBe(400)
  })
})
