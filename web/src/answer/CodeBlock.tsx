import { CopyButton } from "../shell/CopyButton";

/** Code as it was written, with a button to copy it. */
export function CodeBlock({ text, language }: { text: string; language: string }) {
  return (
    <div className="code">
      <div className="code-head">
        <span>{language || "text"}</span>
        <CopyButton text={text} />
      </div>
      <pre tabIndex={0}><code>{text}</code></pre>
    </div>
  );
}
