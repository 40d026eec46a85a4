/**
 * The shapes of characters in a picture of a screen. Pure.
 *
 * Each shape has eight rows of five dots. A row is a digit in base 32, whose highest bit is the
 * leftmost dot. The last row is below the line.
 */
const ROWS = [
  // Space to /
  '00000000 44444040 aaa00000 aavavaa0 4fke5u40 op248j30 cik8lid0 44800000',
  '24888420 84222480 04lel400 044v4400 00000448 000v0000 00000cc0 11248gg0',
  // 0 to ?
  'ehjlphe0 4c4444e0 eh1248v0 v2421he0 26aiv220 vgu11he0 68guhhe0 v1248880',
  'ehhehhe0 ehhf12c0 0cc0cc00 0cc0c480 248g8420 00v0v000 84212480 eh124040',
  // @ to O
  'eh1dlle0 ehhvhhh0 uhhuhhu0 ehggghe0 sihhhis0 vgguggv0 vgguggg0 ehgnhhf0',
  'hhhvhhh0 e44444e0 72222ic0 hikokih0 ggggggv0 hrllhhh0 hhpljhh0 ehhhhhe0',
  // P to _
  'uhhuggg0 ehhhlid0 uhhukih0 fgge11u0 v4444440 hhhhhhe0 hhhhha40 hhhllla0',
  'hha4ahh0 hhha4440 v1248gv0 e88888e0 gg842110 e22222e0 4ah00000 0000000v',
  // ` to o
  '84200000 00e1fhf0 ggmphhu0 00egghe0 11djhhf0 00ehvge0 698s8880 00fhhf1e',
  'ggmphhh0 40c444e0 206222ic ggikoki0 c44444e0 00qllll0 00mphhh0 00ehhhe0',
  // p to ~
  '00uhhugg 00fhhf11 00mpggg0 00fge1u0 88s88960 00hhhjd0 00hhha40 00hhlla0',
  '00ha4ah0 00hhhf1e 00v248v0 24484420 44444444 84424480 008l2000',
]
const SHAPES = ROWS.flatMap((row) => row.split(' '))
const FIRST = ' '.codePointAt(0) ?? 0
/** Any other character is a filled box. */
const UNKNOWN = 'vvvvvvv0'

/** Dots of a shape in a row. */
export const SHAPE_WIDTH = 5
/** Rows of a shape. */
export const SHAPE_HEIGHT = 8

/** Whether a character's shape has a dot at this place. */
export function hasDot(character: string, x: number, y: number): boolean {
  const shape = SHAPES[(character.codePointAt(0) ?? 0) - FIRST] ?? UNKNOWN
  const row = Number.parseInt(shape.charAt(y), 32)
  return ((row >> (SHAPE_WIDTH - 1 - x)) & 1) === 1
}
