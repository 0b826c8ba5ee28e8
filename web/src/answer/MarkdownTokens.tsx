import type { Token, Tokens } from "marked";
import { Fragment, type ReactNode } from "react";

import { CodeBlock } from "./CodeBlock";
import { safeLink } from "./safeLink";

const ENTITY: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

/** Tokens of `marked` as elements; what is not known is shown as the text it came from. */
export function MarkdownTokens({ tokens }: { tokens: readonly Token[] }): ReactNode {
  return tokens.map((token, index) => <Fragment key={index}>{element(token)}</Fragment>);
}

function element(token: Token): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return <Heading token={token as Tokens.Heading} />;
    case "paragraph":
      return <p>{inner(token)}</p>;
    case "blockquote":
      return <blockquote>{inner(token)}</blockquote>;
    case "list":
      return <List token={token as Tokens.List} />;
    case "code":
      return <CodeBlock text={token.text as string} language={(token.lang as string) ?? ""} />;
    case "table":
      return <Table token={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "br":
      return <br />;
    case "strong":
      return <strong>{inner(token)}</strong>;
    case "em":
      return <em>{inner(token)}</em>;
    case "del":
      return <del>{inner(token)}</del>;
    case "codespan":
      return <code>{token.text as string}</code>;
    case "link":
      return <Link href={token.href as string}>{inner(token)}</Link>;
    case "image":
      return <Link href={token.href as string}>{`image: ${(token.text as string) || (token.href as string)}`}</Link>;
    case "checkbox":
      return null;
    case "html":
      return token.block ? <p className="raw">{token.raw}</p> : token.raw;
    case "text":
    case "escape":
      return "tokens" in token && token.tokens ? inner(token) : plain(token.text as string);
    default:
      return token.raw;
  }
}

function inner(token: Token): ReactNode {
  const { tokens } = token as { tokens?: Token[] };
  return tokens ? <MarkdownTokens tokens={tokens} /> : plain(token.raw);
}

function Heading({ token }: { token: Tokens.Heading }): ReactNode {
  const level = Math.min(6, token.depth + 2);
  const Tag = `h${level}` as "h3" | "h4" | "h5" | "h6";
  return <Tag>{inner(token)}</Tag>;
}

function Link({ href, children }: { href: string; children: ReactNode }): ReactNode {
  const safe = safeLink(href);
  if (safe === null) return <span title={href}>{children}</span>;
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow" title={safe}>
      {children}
    </a>
  );
}

function List({ token }: { token: Tokens.List }): ReactNode {
  const items = token.items.map((item, index) => (
    <li key={index} className={item.task ? "task" : undefined}>
      {item.task && (item.checked ? "☑ " : "☐ ")}
      <MarkdownTokens tokens={item.tokens} />
    </li>
  ));
  return token.ordered ? <ol start={Number(token.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ token }: { token: Tokens.Table }): ReactNode {
  return (
    <div className="markdown-table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>{token.header.map((cell, index) => <th key={index}><MarkdownTokens tokens={cell.tokens} /></th>)}</tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>{row.map((cell, at) => <td key={at}><MarkdownTokens tokens={cell.tokens} /></td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The signs behind the entities that Markdown writers use most. */
function plain(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITY[entity] ?? entity);
}
