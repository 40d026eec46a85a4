/**
 * Parts of parameter schemas that several actions share, with EC2's limits by name.
 *
 * Schemas are strict: an unknown member is refused as unsupported (`parameters.ts`), so nothing
 * that a caller requests is silently ignored. Pure.
 */
import { z } from 'zod'
import { type Ipv4, parseIpv4 } from '../model/addr.ts'
import { type ErrorCode, refused } from '../model/errors.ts'
import { type IdPrefix, parseId } from '../model/ids.ts'
import { isLeverTag, problemOfLever, SCHEDULE_TAG, TTL_TAG } from '../model/lever.ts'
import type { Tag } from '../model/records.ts'
import { isRecoveryTag, PRIORITY_TAG, problemOfRecovery, RECOVER_TAG } from '../model/recovery.ts'
import { isReservedKey, RESERVED_TAG_PREFIX } from '../model/reserved-tags.ts'
import { isStorageTag, problemOfStorage, STORAGE_TAG } from '../model/storage.ts'

/** Maximum number of ids in one request (EC2: 1000 for instances). */
export const IDS_MAX = 1000
/**
 * Tag limits: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
 */
export const TAGS_PER_RESOURCE_MAX = 50
const TAG_KEY_MAX_LENGTH = 128
const TAG_VALUE_MAX_LENGTH = 256
/** Maximum number of values in all filters of a request (EC2: 200). */
const FILTER_VALUES_MAX = 200
const FILTER_NAME_MAX_LENGTH = 256
const FILTER_VALUE_MAX_LENGTH = 1024
const NEXT_TOKEN_MAX_LENGTH = 2048
const TEXT_MAX_LENGTH = 255
const CLIENT_TOKEN_MAX_LENGTH = 64

/** For `refine` and `addIssue`: the code of `parseInput`'s refusal. */
export function withCode(code: ErrorCode): { readonly params: { readonly code: ErrorCode } } {
  return { params: { code } }
}

/** An id of one kind. Anything else is refused with that kind's `.Malformed`. */
export function idSchema<P extends IdPrefix>(prefix: P, malformed: ErrorCode) {
  return z.string().transform((text, context) => {
    const id = parseId(prefix, text)
    if (id !== undefined) return id
    context.addIssue({
      code: 'custom',
      // A parameter with an empty value (`InstanceId.1=`) counts as missing.
      ...(text === ''
        ? { params: { isAbsent: true } }
        : {
            message: `Invalid id: "${text.slice(0, TEXT_MAX_LENGTH)}" (expecting "${prefix}-...")`,
            ...withCode(malformed),
          }),
    })
    return z.NEVER
  })
}

/** The name of an attribute that an action describes, refused in EC2's words. */
export function attributeSchema<N extends string>(names: readonly N[]) {
  return z.string().transform((text, context): N => {
    const known = names.find((name) => name === text)
    if (known !== undefined) return known
    const value = text.slice(0, TEXT_MAX_LENGTH)
    context.addIssue({
      code: 'custom',
      message: `Value (${value}) for parameter attribute is invalid. Unknown attribute. Known are: ${names.join(', ')}`,
      ...withCode('InvalidParameterValue'),
    })
    return z.NEVER
  })
}

/** An IPv4 address. */
export const ipv4Schema = z.string().transform((text, context): Ipv4 => {
  const ip = parseIpv4(text)
  if (ip !== undefined) return ip
  context.addIssue({ code: 'custom', message: `Invalid IPv4 address: ${text}` })
  return z.NEVER
})

/**
 * A parameter for which Atoll supports only this value. Others are refused as unsupported, with the
 * reason.
 */
export function onlySchema<T extends string | number | boolean>(value: T, why: string) {
  return z
    .unknown()
    .refine((given) => given === value, { error: why, ...withCode('UnsupportedOperation') })
    .optional()
    .meta({ only: value })
}

/**
 * A parameter that is accepted without effect, as `docs/coverage.md` says. `shown`: it is shown as
 * it was given.
 */
export function withoutEffect<S extends z.ZodType>(schema: S, effect: 'none' | 'shown' = 'none') {
  return schema.meta({ effect })
}

/** Text that can be printed in XML and on a terminal: no control characters, no lone surrogates. */
export function printable(maxLength: number) {
  return z
    .string()
    .refine((text) => [...text].length <= maxLength, `at most ${maxLength} characters`)
    .refine((text) => /^[^\p{Cc}\p{Cs}\uFFFE\uFFFF]*$/u.test(text), 'no control characters')
}

/** A short free text or name. */
export const textSchema = printable(TEXT_MAX_LENGTH)

/** `ClientToken`. */
export const clientTokenSchema = printable(CLIENT_TOKEN_MAX_LENGTH).optional()

/** A list of few names. */
export const namesSchema = z.array(textSchema).max(IDS_MAX).default([])

/** A tag's key. `aws:` is reserved by Amazon, and `atoll:` by us. */
export const tagKeySchema = printable(TAG_KEY_MAX_LENGTH)
  .min(1)
  .refine((key) => !key.toLowerCase().startsWith('aws:'), {
    error: "Tag keys starting with 'aws:' are reserved for internal use",
    ...withCode('InvalidParameterValue'),
  })
  .refine((key) => !isReservedKey(key), {
    error: `Tag keys starting with '${RESERVED_TAG_PREFIX}' are reserved for internal use, except ${TTL_TAG}, ${SCHEDULE_TAG}, ${RECOVER_TAG}, ${PRIORITY_TAG} and ${STORAGE_TAG}`,
    ...withCode('InvalidParameterValue'),
  })

/** A tag's value, which may be empty. */
export const tagValueSchema = printable(TAG_VALUE_MAX_LENGTH)

/** Tags of a request. An absent value is an empty one. No key twice. */
export const tagListSchema = z
  .array(z.strictObject({ Key: tagKeySchema, Value: tagValueSchema.default('') }))
  .superRefine((tags, context) => {
    for (const { Key, Value } of tags) {
      const message = problemOfTag(Key, Value)
      if (message !== null)
        context.addIssue({ code: 'custom', message, ...withCode('InvalidParameterValue') })
    }
  })
  .refine((tags) => tags.length <= TAGS_PER_RESOURCE_MAX, {
    error: `at most ${TAGS_PER_RESOURCE_MAX} tags`,
    ...withCode('TagLimitExceeded'),
  })
  .refine((tags) => new Set(tags.map((tag) => tag.Key)).size === tags.length, {
    error: 'Duplicate tag key specified.',
    ...withCode('InvalidParameterValue'),
  })

/** `TagSpecifications` of an action that creates resources of these types, each at most once. */
export function tagSpecificationsSchema(types: readonly string[]) {
  return z
    .array(
      z.strictObject({
        ResourceType: z.string().refine((type) => types.includes(type), {
          error: ({ input }) =>
            input === ''
              ? 'Tag specification resource type must have a value'
              : `'${String(input).slice(0, TEXT_MAX_LENGTH)}' is not a valid taggable resource type for this operation.`,
          ...withCode('InvalidParameterValue'),
        }),
        Tags: tagListSchema.default([]),
      }),
    )
    .superRefine((specs, context) => {
      for (const { ResourceType, Tags } of specs) {
        for (const { Key } of Tags) {
          const message = misplacedTag(Key, ResourceType)
          if (message !== null)
            context.addIssue({ code: 'custom', message, ...withCode('InvalidParameterValue') })
        }
      }
    })
    .refine((specs) => new Set(specs.map((spec) => spec.ResourceType)).size === specs.length, {
      error: 'The same resource type may not be specified more than once in tag specifications',
      ...withCode('InvalidParameterValue'),
    })
    .default([])
}

/** Why a tag has no effect on new resources of this type; null: it has one, or never has any. */
function misplacedTag(key: string, type: string): string | null {
  if (isStorageTag(key) && type !== 'volume') return onlyOfNewVolumes(key)
  const isOfInstances = isLeverTag(key) || isRecoveryTag(key)
  return isOfInstances && type !== 'instance' ? onlyOfInstances(key, type) : null
}

/** What is wrong with the value of a tag that has an effect; null: nothing. */
function problemOfTag(key: string, value: string): string | null {
  if (isRecoveryTag(key)) return problemOfRecovery(key, value)
  if (isStorageTag(key)) return problemOfStorage(value)
  return isLeverTag(key) ? problemOfLever(key, value) : null
}

/** Why a tag that says where a disk is made is refused. */
function onlyOfNewVolumes(key: string): string {
  return `The tag '${key}' says where a disk is made: give it in RunInstances, in the tags of the type 'volume', or leave it out`
}

/** Refuses to change a tag that had its effect when its resource was made. */
export function refuseLaterTags(keys: readonly string[]): void {
  const key = keys.find(isStorageTag)
  if (key !== undefined) throw refused('InvalidParameterValue', onlyOfNewVolumes(key))
}

/** Why a tag that has an effect is refused for a resource of this type. */
export function onlyOfInstances(key: string, type: string): string {
  return `The tag '${key}' has an effect on instances only; leave it out of the tags of the type '${type}'`
}

/** The tag records of one new resource, from the specification for its type. */
export function specifiedTags(
  specs: z.output<ReturnType<typeof tagSpecificationsSchema>>,
  resource: Pick<Tag, 'account' | 'resource' | 'resourceType'>,
): readonly Tag[] {
  const spec = specs.find((one) => one.ResourceType === resource.resourceType)
  return (spec?.Tags ?? []).map((tag) => ({ ...resource, key: tag.Key, value: tag.Value }))
}

/** `DryRun`, which `parameters.ts` handles. */
export const dryRunShape = { DryRun: z.boolean().optional() }

/** `Filters`. */
export const filterShape = {
  Filters: z
    .array(
      z.strictObject({
        Name: z.string().min(1).max(FILTER_NAME_MAX_LENGTH),
        // Without values it matches nothing, as in EC2.
        Values: z.array(z.string().max(FILTER_VALUE_MAX_LENGTH)).default([]),
      }),
    )
    .refine(
      (filters) =>
        filters.reduce((sum, filter) => sum + filter.Values.length, 0) <= FILTER_VALUES_MAX,
      {
        error: `The maximum number of filter values, ${FILTER_VALUES_MAX}, is exceeded`,
        ...withCode('FilterLimitExceeded'),
      },
    )
    .optional(),
}

/**
 * `filterShape`, and paging with the action's own limits for `MaxResults`. `larger` says what
 * happens to a larger number: if EC2's model has no limit, it counts as the maximum.
 */
export function pagedShape(
  minResults: number,
  maxResults: number,
  { larger }: { readonly larger: 'refused' | 'limited' },
) {
  const outOfRange = (expecting: string) => ({
    error: ({ input }: { readonly input: unknown }) =>
      `Value ( ${input} ) for parameter maxResults is invalid. Expecting a value ${expecting}.`,
    ...withCode('InvalidParameterValue'),
  })
  const atLeast = z
    .int()
    .refine((results) => results >= minResults, outOfRange(`greater than ${minResults}`))
  const within = {
    refused: atLeast.refine(
      (results) => results <= maxResults,
      outOfRange(`smaller than ${maxResults}`),
    ),
    limited: atLeast.transform((results) => Math.min(results, maxResults)),
  }
  return {
    ...filterShape,
    MaxResults: within[larger].optional(),
    NextToken: z.string().max(NEXT_TOKEN_MAX_LENGTH).optional(),
  }
}

/** A request that must set exactly one of these attributes, as in EC2's Modify…Attribute. */
export function oneAttribute<S extends z.ZodObject>(schema: S, attributes: object) {
  const given = (request: object) =>
    Object.keys(attributes).filter((name) => Reflect.get(request, name) !== undefined)
  return schema.refine((request) => given(request).length === 1, {
    error: ({ input }) =>
      given(input as object).length === 0
        ? 'No attributes specified.'
        : 'Fields for multiple attribute types specified',
    ...withCode('InvalidParameterCombination'),
  })
}

/**
 * A list that must have an item. Without one the refusal has the name that EC2 itself gives the
 * list (`instancesSet`).
 */
export function required<List extends z.ZodType<readonly unknown[]>>(list: List, name: string) {
  return list.prefault([] as never).refine((items) => items.length > 0, {
    error: `The request must contain the parameter ${name}`,
    ...withCode('MissingParameter'),
  })
}

/** A list of ids without duplicates. */
export function idListSchema<P extends IdPrefix>(prefix: P, malformed: ErrorCode) {
  return z
    .array(idSchema(prefix, malformed))
    .max(IDS_MAX)
    .transform((ids) => [...new Set(ids)])
}

/** The refusal that names the ids as EC2 does: one, or several. */
export function notFound(code: ErrorCode, noun: string, missing: readonly string[]): Error {
  return missing.length === 1
    ? refused(code, `The ${noun} '${missing.join()}' does not exist`)
    : refused(code, `The ${noun}s '${missing.join(', ')}' do not exist`)
}

/** `InvalidAMIID.NotFound`. EC2 puts ids of images in brackets. */
export function missingImages(missing: readonly string[]): Error {
  const ids = `'[${missing.join(', ')}]'`
  const [noun, verb] = missing.length === 1 ? ['id', 'does'] : ['ids', 'do']
  return refused('InvalidAMIID.NotFound', `The image ${noun} ${ids} ${verb} not exist`)
}

/** `InvalidVolume.NotFound`: EC2 ends this sentence with a full stop. */
export function missingVolumes(missing: readonly string[]): Error {
  const { message } = notFound('InvalidVolume.NotFound', 'volume', missing)
  return refused('InvalidVolume.NotFound', `${message}.`)
}
