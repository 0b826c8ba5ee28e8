import { lexer, type Token } from "marked";
import { memo, useMemo } from "react";

import { MarkdownTokens } from "./MarkdownTokens";

/**
 * Markdown as React elements.
 *
 * No HTML is ever made of the text: tags in it are shown as text, images as links, and only
 * http, https and mailto can be followed. While an answer grows only its last block is drawn anew.
 */
export function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => lexer(text, { gfm: true, breaks: true }), [text]);
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        <Block key={index} raw={block.raw} token={block} />
      ))}
    </div>
  );
}

const Block = memo(
  function Block({ token }: { raw: string; token: Token }) {
    return <MarkdownTokens tokens={[token]} />;
  },
  (before, after) => before.raw === after.raw && before.token.type === after.token.type,
);
