/** The JSON Schema of lab.yaml: what an editor completes and explains while one types. Made from the very schemas that read it. */

import * as z from 'zod';

import { LabFile } from './lab.ts';

/**
 * Draft 7, which the YAML language server of the editors knows best. It checks shapes; what refers to what, `validate`
 * says. @see https://github.com/redhat-developer/yaml-language-server "JSON Schema 7 and below"
 */
export function labSchema(): object {
  const schema = z.toJSONSchema(LabFile, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // Where a schema says by itself what may be written, what it becomes when read says nothing.
      if (jsonSchema.anyOf === undefined) return;
      delete jsonSchema.type;
      delete jsonSchema.minimum;
      delete jsonSchema.maximum;
    },
  });
  return {
    title: 'lab.yaml of Hoplab',
    description: 'The AWS side of a lab, its cluster, and its probes',
    ...schema,
  };
}
