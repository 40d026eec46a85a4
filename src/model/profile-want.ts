/** What a host's want says of the instance profiles of its instances. */

/** An instance profile. The host makes the credentials of its role; they are not in the want. */
export interface ProfileWant {
  /** `AIPA…` */
  readonly id: string
  readonly arn: string
  /** Absent: the profile has none. */
  readonly role?: ProfileRoleWant | undefined
}

/** The role of an instance profile. */
export interface ProfileRoleWant {
  readonly name: string
  /** `AROA…` */
  readonly id: string
  /** Whether its trust policy allows EC2 to give it to instances. */
  readonly isTrusting: boolean
}
