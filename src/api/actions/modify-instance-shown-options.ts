/**
 * ModifyInstanceMaintenanceOptions, ModifyPrivateDnsNameOptions and
 * ModifyInstanceCapacityReservationAttributes. What they set has no effect, as in RunInstances,
 * except `AutoRecovery` (`instances/recovery.ts`); it is only stored and shown.
 */
import { z } from 'zod'
import type { AccountId, InstanceId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../model/instance-options.ts'
import type { Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { setAutoRecovery } from '../instances/recovery.ts'
import { optionsShape } from '../launch/options.ts'
import { idSchema } from '../schemas.ts'

const instance = { InstanceId: idSchema('i', 'InvalidInstanceID.Malformed') }
const names = optionsShape.PrivateDnsNameOptions.unwrap().shape

/** ModifyInstanceMaintenanceOptions. */
export const modifyInstanceMaintenanceOptions = changeAction({
  name: 'ModifyInstanceMaintenanceOptions',
  input: z.strictObject({ ...instance, ...optionsShape.MaintenanceOptions.unwrap().shape }),
  async change(tx, { InstanceId: id, AutoRecovery, RebootMigration }, { account }) {
    const instance = await requireInstance(tx, account, id)
    if (AutoRecovery !== undefined) await setAutoRecovery(tx, instance, AutoRecovery)
    return await setOptions(tx, account, id, { rebootMigration: RebootMigration })
  },
  view: ({ id, options: { autoRecovery, rebootMigration } }) => ({
    ...{ InstanceId: id, AutoRecovery: autoRecovery },
    ...(rebootMigration === null ? {} : { RebootMigration: rebootMigration }),
  }),
})

/** ModifyPrivateDnsNameOptions. */
export const modifyPrivateDnsNameOptions = changeAction({
  name: 'ModifyPrivateDnsNameOptions',
  input: z.strictObject({
    ...instance,
    PrivateDnsHostnameType: names.HostnameType,
    EnableResourceNameDnsARecord: names.EnableResourceNameDnsARecord,
    EnableResourceNameDnsAAAARecord: names.EnableResourceNameDnsAAAARecord,
  }),
  change: (tx, asked, { account }) =>
    setOptions(tx, account, asked.InstanceId, {
      hostnameType: asked.PrivateDnsHostnameType,
      resourceNameDnsARecord: asked.EnableResourceNameDnsARecord,
    }),
  view: () => ({ Return: true }),
})

/** ModifyInstanceCapacityReservationAttributes. */
export const modifyInstanceCapacityReservationAttributes = changeAction({
  name: 'ModifyInstanceCapacityReservationAttributes',
  input: z.strictObject({
    ...instance,
    CapacityReservationSpecification: optionsShape.CapacityReservationSpecification.unwrap(),
  }),
  change: (tx, { InstanceId: id, CapacityReservationSpecification: asked }, { account }) =>
    setOptions(tx, account, id, { capacityReservation: asked.CapacityReservationPreference }),
  view: () => ({ Return: true }),
})

/** Sets the options that are not undefined, and leaves the others. */
async function setOptions(
  tx: Tx,
  account: AccountId,
  asked: InstanceId,
  said: { readonly [Name in keyof InstanceOptions]?: InstanceOptions[Name] | undefined },
) {
  const { id, options: before = INSTANCE_OPTIONS } = await requireInstance(tx, account, asked)
  const named = Object.entries(said).filter(([, value]) => value !== undefined)
  const options: InstanceOptions = { ...before, ...Object.fromEntries(named) }
  await tx.updateInstance(id, { options })
  return { id, options }
}
