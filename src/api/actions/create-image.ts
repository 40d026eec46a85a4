/**
 * CreateImage: an image of an instance as it is.
 *
 * Only the record is written here. The instance's host is rung; it copies the disk in the background and says how far it is, and the
 * image is kept there: where its location names, and nowhere else.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
 */
import type { CreateImageResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { isoTime } from '../../lib/clock.ts'
import { refused } from '../../model/errors.ts'
import { formatId, ID_BYTES, type InstanceId } from '../../model/ids.ts'
import { keptLocation, workloadKind } from '../../model/image-location.ts'
import type { Image, Instance } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  idSchema,
  notFound,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
} from '../schemas.ts'
import { imageNameSchema, nameInUse } from './images.ts'

const createSchema = z.strictObject({
  ...dryRunShape,
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
  Name: imageNameSchema,
  Description: textSchema.default(''),
  NoReboot: z.boolean().default(false),
  // There are no snapshots, so nothing has the tags that are meant for them.
  TagSpecifications: tagSpecificationsSchema(['image', 'snapshot']),
})

/** CreateImage. Answers at once; the image is `pending` until its host has made it, and cannot be launched before. */
export const createImage: Action = {
  name: 'CreateImage',
  async run(call): Promise<CreateImageResult> {
    const input = parseInput(createSchema, call.input)
    const { store, bus, clock, random } = call.parts
    const id = formatId('ami', random(ID_BYTES))
    const host = await store.transaction(async (tx) => {
      const { instance, origin } = await requireSource(tx, call, input.InstanceId)
      const image: Image = {
        id,
        account: instance.account,
        name: input.Name,
        description: input.Description,
        location: keptLocation(workloadKind(origin.location), instance.host, id),
        architecture: origin.architecture,
        state: 'pending',
        stateReason: null,
        digest: null,
        repositoryDigest: null,
        diskGiB: null,
        host: instance.host,
        sourceInstance: instance.id,
        capture: input.NoReboot ? 'no-reboot' : 'reboot',
        createdAt: isoTime(clock.now()),
      }
      if ((await tx.insertImage(image)) === 'exists') throw nameInUse(image.name)
      dryRun(call)
      const { account } = image
      await tx.putTags(
        specifiedTags(input.TagSpecifications, { account, resource: id, resourceType: 'image' }),
      )
      await tx.advanceGeneration(image.host)
      return image.host
    })
    bus.ring(host)
    return { ImageId: id }
  },
}

/** The instance, which has a disk and is neither coming up nor going down, and the image that it was made from. */
async function requireSource(
  tx: ReadTx,
  call: Call,
  id: InstanceId,
): Promise<{ readonly instance: Instance; readonly origin: Image }> {
  const { account } = call.caller
  const [instance] = await tx.instances({ account, ids: [id] })
  if (instance === undefined) throw notFound('InvalidInstanceID.NotFound', 'instance ID', [id])
  if (instance.state !== 'running' && instance.state !== 'stopped') {
    throw refused(
      'IncorrectInstanceState',
      `The instance '${id}' is ${instance.state}; an image can be made of a running or stopped one`,
    )
  }
  const [origin] = await tx.images({ account, ids: [instance.image] })
  if (origin === undefined) {
    throw refused(
      'IncorrectInstanceState',
      `The image of '${id}' was deregistered long ago and is not known any more; no image can be made of this instance`,
    )
  }
  return { instance, origin }
}
