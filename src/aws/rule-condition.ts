/**
 * The conditions of a listener's rule beside host and path: a header, the method, the query, the client's address.
 *
 * What HAProxy matches and what the model matches are the same regular expressions. Case counts in paths alone, and in
 * methods, which are capitals.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
 */

import { type Cidr, contains, type Ipv4 } from '../base/ip.ts';

/** One of the values is enough. In headers and queries `*` stands for any text, `?` for any character. */
export type RuleCondition =
  | { readonly field: 'http-header'; readonly header: string; readonly values: readonly string[] }
  | { readonly field: 'http-request-method'; readonly values: readonly string[] }
  | {
      readonly field: 'query-string';
      /** Without a key, a value alone. */
      readonly values: readonly { readonly key: string | undefined; readonly value: string }[];
    }
  | { readonly field: 'source-ip'; readonly values: readonly Cidr[] };

/** What of a request the rules look at. */
export interface RuleRequest {
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  readonly method: string;
  /** By their names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /** Of the connection, whatever X-Forwarded-For says. */
  readonly source: Ipv4;
}

/** The regular expression of a text with wildcards, as part of a longer one; `any` is a character that they stand for. */
export function wildcards(text: string, any = '.'): string {
  return text
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', `${any}*`)
    .replaceAll('?', any);
}

function queryPattern({ key, value }: { key: string | undefined; value: string }): string {
  const any = '[^&]';
  const before = key === undefined ? '([^=&]*=)?' : `${wildcards(key, '[^=&]')}=`;
  return `(^|&)${before}${wildcards(value, any)}(&|$)`;
}

export function fitsCondition(condition: RuleCondition, request: RuleRequest): boolean {
  switch (condition.field) {
    case 'http-header': {
      const said = request.headers.get(condition.header.toLowerCase());
      return (
        said !== undefined &&
        condition.values.some((value) => new RegExp(`^${wildcards(value)}$`, 'i').test(said))
      );
    }
    case 'http-request-method':
      return condition.values.includes(request.method);
    case 'query-string':
      return condition.values.some((one) => new RegExp(queryPattern(one), 'i').test(request.query));
    case 'source-ip':
      return condition.values.some((block) => contains(block, request.source));
  }
}

/** What HAProxy matches; any of them is enough. */
export function conditionAcls(condition: RuleCondition): string[] {
  switch (condition.field) {
    case 'http-header':
      return condition.values.map(
        (value) => `req.fhdr(${condition.header}) -m reg -i ${quoted(`^${wildcards(value)}$`)}`,
      );
    case 'http-request-method':
      return condition.values.map((value) => `method -m str ${value}`);
    case 'query-string':
      return condition.values.map((one) => `query -m reg -i ${quoted(queryPattern(one))}`);
    case 'source-ip':
      return condition.values.map((block) => `src ${block}`);
  }
}

/** A word of HAProxy's configuration in which nothing has a meaning of its own. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
