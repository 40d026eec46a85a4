/**
 * Which instances another host starts again when theirs is lost (`model/recovery.ts`): what is
 * needed for that, and what a request changes of it.
 *
 * Their disk is where other hosts reach it, or may be lost. No request assumes that.
 */
import { refused } from '../../model/errors.ts'
import { type InstanceId, parseId } from '../../model/ids.ts'
import { keptBy } from '../../model/image-location.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../model/instance-options.ts'
import type { Host, Image, Instance, Tag, Volume } from '../../model/records.ts'
import {
  DISCARD_DISK,
  isRecoverTag,
  isRecoveryTag,
  KEEP_DISK,
  RECOVER_TAG,
} from '../../model/recovery.ts'
import { STORAGE_TAG, storageOf } from '../../model/storage.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { onlyOfInstances } from '../schemas.ts'

/** Whether the host may run instances that others may start again. */
export function isFenced({ fenceLevel }: Pick<Host, 'fenceLevel'>): boolean {
  return (fenceLevel ?? null) !== null
}

/** The hosts that may run such instances. Errors: `refused` when none does. */
export function fencedHosts(hosts: readonly Host[]): readonly Host[] {
  const fenced = hosts.filter(isFenced)
  if (fenced.length > 0) return fenced
  throw refused(
    'UnsupportedOperation',
    `No host may run an instance with the tag '${RECOVER_TAG}' now: each must be able to stop it surely when others start it. ` +
      '`atoll doctor` on a host says what is missing. Leave the tag out, or set AutoRecovery to disabled',
  )
}

/**
 * Refuses what cannot be started again elsewhere: an image that only one host has, and a disk that
 * its owner wants to keep and other hosts do not reach.
 */
export function refuseLostDisk(
  image: Image,
  disk: (Pick<Volume, 'deleteOnTermination'> & { readonly isShared: boolean }) | null,
  keepsDisk: boolean,
): void {
  const only = keptBy(image.location)
  if (only !== null)
    throw refused(
      'UnsupportedOperation',
      `The image '${image.id}' exists only on the host '${only}', so no other host can start its instances again: ` +
        `leave the tag '${RECOVER_TAG}' out, or use an image that every host can fetch`,
    )
  if (disk?.isShared === true) return
  if (keepsDisk)
    throw refused(
      'InvalidParameterCombination',
      `The tag '${RECOVER_TAG}' has the value '${KEEP_DISK}', but the disk is on its host only, and would be lost with it: ` +
        `launch the instance with the tag '${STORAGE_TAG}' of its volume, or set '${DISCARD_DISK}' if the disk may be lost`,
    )
  if (disk !== null && !disk.deleteOnTermination)
    throw refused(
      'InvalidParameterCombination',
      `The tag '${RECOVER_TAG}' says that the disk may be lost, and DeleteOnTermination that it is to be kept: ` +
        'set DeleteOnTermination of the root device, or leave the tag out',
    )
}

/** The error for asking for recovery without saying what becomes of the disk. */
export function unsaidDisk(): Error {
  return refused(
    'InvalidParameterCombination',
    'AutoRecovery is default, but nothing says what becomes of the disk when the host is lost. ' +
      `If it may be lost: add the tag '${RECOVER_TAG}' with the value '${DISCARD_DISK}'; ` +
      `if its volume has the tag '${STORAGE_TAG}': with '${KEEP_DISK}'. Otherwise set AutoRecovery to disabled`,
  )
}

/** Makes instances with such a tag be started again when their host is lost. */
export async function wishByTags(tx: Tx, tags: readonly Tag[]): Promise<void> {
  for (const { resource, resourceType, key } of tags.filter((tag) => isRecoveryTag(tag.key))) {
    const id = parseId('i', resource)
    if (id === undefined) throw refused('InvalidParameterValue', onlyOfInstances(key, resourceType))
    if (!isRecoverTag(key)) continue
    const [instance] = await tx.instances({ ids: [id] })
    if (instance !== undefined) await wish(tx, instance, 'default')
  }
}

/** Ends that for an instance whose tag is gone. */
export async function unwishWithoutTag(tx: Tx, resource: string): Promise<void> {
  const id = parseId('i', resource)
  if (id === undefined || (await hasTag(tx, id))) return
  const [instance] = await tx.instances({ ids: [id] })
  if (instance !== undefined && isWished(instance)) await wish(tx, instance, 'disabled')
}

/**
 * Sets `AutoRecovery` of an instance, and what follows from it. Errors: `refused` when its disk
 * would be lost and nobody has said that it may be, or when its host cannot stop it surely.
 */
export async function setAutoRecovery(
  tx: Tx,
  instance: Instance,
  autoRecovery: InstanceOptions['autoRecovery'],
): Promise<void> {
  if (autoRecovery === 'disabled' || (await hasTag(tx, instance.id)))
    return await wish(tx, instance, autoRecovery)
  const hosts = await tx.hosts([instance.host])
  if (hosts.some(isFenced)) throw unsaidDisk()
  await wish(tx, instance, autoRecovery, 'keep')
}

async function wish(
  tx: Tx,
  instance: Instance,
  autoRecovery: InstanceOptions['autoRecovery'],
  wanted: 'keep' | 'recover' = autoRecovery === 'default' ? 'recover' : 'keep',
): Promise<void> {
  if (wanted === 'recover') await refuseUnrecoverable(tx, instance)
  const { id, options = INSTANCE_OPTIONS } = instance
  if (options.autoRecovery !== autoRecovery)
    await tx.updateInstance(id, { options: { ...options, autoRecovery } })
  if (isWished(instance) !== (wanted === 'recover')) await tx.wishRecovery(id, wanted)
}

async function refuseUnrecoverable(tx: ReadTx, instance: Instance): Promise<void> {
  const { id, host, image: imageId } = instance
  const [image] = await tx.images({ ids: [imageId] })
  const volumes = await tx.volumes({ instances: [id] })
  const disk = volumes.find((one) => !one.deleteOnTermination) ?? volumes[0] ?? null
  const isShared = storageOf(volumes) !== null
  const keepsDisk = (await recoverTags(tx, id)).some(({ value }) => value === KEEP_DISK)
  if (image !== undefined) refuseLostDisk(image, disk && { ...disk, isShared }, keepsDisk)
  if (!isWished(instance)) fencedHosts(await tx.hosts([host]))
}

function isWished({ recovery }: Instance): boolean {
  return recovery?.wanted === 'recover'
}

async function hasTag(tx: ReadTx, id: InstanceId): Promise<boolean> {
  return (await recoverTags(tx, id)).length > 0
}

async function recoverTags(tx: ReadTx, id: InstanceId): Promise<readonly Tag[]> {
  return (await tx.tags({ resources: [id] })).filter(({ key }) => isRecoverTag(key))
}
