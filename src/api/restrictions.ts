/**
 * What of a request's filters the records can answer by themselves. Pure.
 *
 * A restriction only leaves out what the filter would leave out, too, and all filters are applied
 * to what was read. So the records may take a restriction less strictly, or not at all.
 */
import type { Restriction, TagRestriction } from '../store/records/part.ts'
import type { DescribeRequest } from './describe.ts'
import { type Filter, TAG } from './filters.ts'
import { parseGlob } from './glob.ts'

/** Restrictions by the names of the filters that say the same. */
export type Narrowing<Name extends string> = Readonly<Record<string, Name>>

/** The restrictions that follow from the filters. `tagged`: the items can be filtered by tags. */
export function restrictionsOf<Name extends string>(
  { Filters, Filter }: DescribeRequest,
  narrowing: Narrowing<Name>,
  tagged: boolean,
): readonly Restriction<Name>[] {
  return (Filters ?? Filter ?? []).flatMap((filter): readonly Restriction<Name>[] => {
    const values = exactValues(filter)
    const by = Object.hasOwn(narrowing, filter.Name) ? narrowing[filter.Name] : undefined
    if (by !== undefined) return values === undefined ? [] : [{ by, values }]
    return tagged ? tagRestriction(filter.Name, values) : []
  })
}

function tagRestriction(
  name: string,
  values: readonly string[] | undefined,
): readonly TagRestriction[] {
  if (name === 'tag-key') return values === undefined ? [] : [{ by: 'tag', keys: values }]
  const key = name.startsWith(TAG) ? name.slice(TAG.length) : ''
  if (!isExact(key)) return []
  return [{ by: 'tag', keys: [key], ...(values === undefined ? {} : { values }) }]
}

/** Undefined when one of the values matches more than one text. */
function exactValues({ Values }: Filter): readonly string[] | undefined {
  const texts = Values.map((value) => parseGlob(value).plain ?? '')
  return texts.every(isExact) ? texts : undefined
}

/**
 * Nothing at all may be an empty text in an answer. And what cannot be printed is shown as U+FFFD
 * (`store/records/columns.ts`), which the row itself does not have.
 */
function isExact(text: string): boolean {
  return text !== '' && text.isWellFormed() && !text.includes('\uFFFD')
}
