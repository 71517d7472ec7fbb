/**
 * How each kind of group and node looks, for every format. A new kind is a row here, and a place in graph.ts where it
 * is made.
 *
 * The colours are those of AWS's own drawings. No meaning hangs on them alone: a subnet says that it is public, a zone
 * is dashed, gateways are pills, and what runs software of the user's (pods) is round where AWS's things are square.
 *
 * @see https://aws.amazon.com/architecture/icons/ groups: VPC purple, public subnet green, private subnet blue, databases magenta
 */

export interface Look {
  readonly shape: 'square' | 'rounded' | 'pill';
  readonly border: string;
  /** On a light page and on a dark one; undefined for what is seen through. */
  readonly fill: { readonly light: string; readonly dark: string } | undefined;
  readonly isDashed?: true;
  readonly isThick?: true;
}

const GREY = '#7d8998';
export const PURPLE = '#8c4fff';
const ORANGE = '#ed7100';
export const RED = '#d13212';
const MAGENTA = '#c925d1';
const KUBERNETES_BLUE = '#326ce5';

/** The page's own. */
export const PAGE = { light: '#ffffff', dark: '#16191f' } as const;

export const GROUP_LOOKS = {
  internet: { shape: 'pill', border: GREY, fill: { light: '#f4f5f7', dark: '#21252c' } },
  vpc: { shape: 'square', border: PURPLE, fill: undefined, isThick: true },
  az: { shape: 'square', border: GREY, fill: undefined, isDashed: true },
  'public-subnet': {
    shape: 'square',
    border: '#7aa116',
    fill: { light: '#f2f6e8', dark: '#232b12' },
  },
  'private-subnet': {
    shape: 'square',
    border: '#147eba',
    fill: { light: '#e6f2f8', dark: '#10293a' },
  },
  balancer: { shape: 'pill', border: PURPLE, fill: { light: '#f3edfc', dark: '#271b3a' } },
  node: { shape: 'rounded', border: ORANGE, fill: { light: '#fdf1e6', dark: '#362310' } },
} as const satisfies Readonly<Record<string, Look>>;

export const NODE_LOOKS = {
  host: { shape: 'rounded', border: GREY, fill: PAGE },
  igw: { shape: 'pill', border: PURPLE, fill: PAGE, isThick: true },
  nat: { shape: 'pill', border: PURPLE, fill: PAGE, isThick: true },
  alb: { shape: 'pill', border: PURPLE, fill: PAGE },
  listener: { shape: 'square', border: PURPLE, fill: PAGE },
  'target-group': { shape: 'square', border: PURPLE, fill: PAGE },
  instance: { shape: 'square', border: ORANGE, fill: PAGE },
  rds: { shape: 'square', border: MAGENTA, fill: PAGE, isThick: true },
  eni: { shape: 'square', border: ORANGE, fill: PAGE },
  pod: { shape: 'rounded', border: KUBERNETES_BLUE, fill: PAGE },
  /** How many are left out. */
  more: { shape: 'rounded', border: GREY, fill: undefined, isDashed: true },
} as const satisfies Readonly<Record<string, Look>>;

export type GroupKind = keyof typeof GROUP_LOOKS;
export type NodeKind = keyof typeof NODE_LOOKS;

export function groupLook(kind: GroupKind): Look {
  return GROUP_LOOKS[kind];
}

export function nodeLook(kind: NodeKind): Look {
  return NODE_LOOKS[kind];
}
