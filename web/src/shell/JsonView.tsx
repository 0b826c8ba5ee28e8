import { useState } from "react";

import { CopyButton } from "./CopyButton";

// Whole conversations would freeze the page; who wants more gets it with one click.
const MAX_CHARS = 4_000;

/** A value as indented JSON, cut where it is long. */
export function JsonView({ value }: { value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  const text = JSON.stringify(value, null, 2) ?? "";
  const isCut = text.length > MAX_CHARS && !isWhole;
  return (
    <div className="code">
      <div className="code-head"><span>JSON</span><CopyButton text={text} /></div>
      <pre tabIndex={0}><code>{isCut ? `${text.slice(0, MAX_CHARS)}…` : text}</code></pre>
      {isCut && <button type="button" className="quiet" onClick={() => setWhole(true)}>show all of it</button>}
    </div>
  );
}
