// What client and server have agreed on: it says how our own packets must look.

import { command, worded } from '../packets/command.ts';

export type Wire = {
  readonly capabilities: number;
  readonly extensions: number;
  readonly collation: number;
  readonly clientHasAttributes: boolean;
  readonly serverHasAttributes: boolean;
};

/** A text of our own: with no attributes, where the server expects to be told so. */
export function ownQuery({ serverHasAttributes, clientHasAttributes }: Wire, text: string): Buffer {
  return worded(command.query, serverHasAttributes && clientHasAttributes ? `\0\x01${text}` : text);
}
