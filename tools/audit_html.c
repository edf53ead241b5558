/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A report as one page: a drawing (SVG, with its figures in words for those who
 * do not see it) and tables.  No script and nothing fetched; the page's own
 * policy says so to the browser, in case a name should have slipped through.
 */

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/html.h"
#include "tools/audit_report.h"

#define WIDTH 960
#define HEIGHT 260
#define LEFT 64
#define BOTTOM 40
#define TOP 16

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'\">\n";
static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--signed:#1f6f8b;--refused:#b3261e}\n"
    "@media (prefers-color-scheme:dark){:root{--signed:#6cc3e0;"
    "--refused:#ff8a80}}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:64rem;"
    "margin:2rem auto;padding:0 1rem}\n"
    "svg{width:100%;height:auto}\n"
    "svg text{font-size:12px;fill:currentColor}\n"
    ".signed{fill:var(--signed)}.refused{fill:var(--refused)}\n"
    ".axis{stroke:currentColor}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:1rem 0;width:100%}\n"
    "caption{text-align:left;font-weight:600}\n"
    "th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #8888;vertical-align:top}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "td{overflow-wrap:anywhere}\n"
    "</style>\n";

static void
put_time(int64_t time_ns, FILE *to)
{
	char text[CLOCK_TEXT_MAX];

	clock_print(time_ns, text);
	text[19] = '\0'; /* seconds will do */
	fprintf(to, "<time datetime=\"%sZ\">%.10s %s UTC</time>", text, text,
	    text + 11);
}

static uint64_t
tallest(const struct report_plot *plot)
{
	uint64_t max = 1;

	for (size_t i = 0; i < plot->n; i++)
		if (plot->signatures[i] + plot->refusals[i] > max)
			max = plot->signatures[i] + plot->refusals[i];
	return max;
}

static void
put_bar(double x, double width, double from, double to_height,
    const char *class, FILE *to)
{
	double room = HEIGHT - BOTTOM - TOP;

	if (to_height <= from)
		return;
	fprintf(to,
	    "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"%.1f\"/>\n",
	    class, x, TOP + room * (1 - to_height), width,
	    room * (to_height - from));
}

static void
put_axes(const struct report_plot *plot, uint64_t max, FILE *to)
{
	int64_t end_s = plot->start_s + (int64_t)plot->n * plot->width_s;
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	clock_print(audit_ns_of(plot->start_s), first);
	clock_print(audit_ns_of(end_s), last);
	fprintf(to,
	    "<path class=\"axis\" fill=\"none\" d=\"M%d %dV%dH%d\"/>\n"
	    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%" PRIu64
	    "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n"
	    "<text x=\"%d\" y=\"%d\">%.10s %.8s</text>\n"
	    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.10s %.8s UTC"
	    "</text>\n",
	    LEFT, TOP, HEIGHT - BOTTOM, WIDTH, LEFT - 6, TOP + 10, max,
	    LEFT - 6, HEIGHT - BOTTOM, LEFT, HEIGHT - BOTTOM + 18, first,
	    first + 11, WIDTH, HEIGHT - BOTTOM + 18, last, last + 11);
}

static void
put_plot(const struct report *report, FILE *to)
{
	const struct report_plot *plot = &report->plot;
	uint64_t max = tallest(plot);
	double step =
	    (double)(WIDTH - LEFT) / (double)(plot->n + (plot->n == 0));

	fprintf(to,
	    "<figure>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
	    "aria-labelledby=\"plot-title plot-text\">\n"
	    "<title id=\"plot-title\">Signatures over time</title>\n"
	    "<desc id=\"plot-text\">%" PRIu64 " signatures and %" PRIu64
	    " refusals in %zu intervals of %" PRId64
	    " seconds; the busiest had %" PRIu64 ".</desc>\n",
	    WIDTH, HEIGHT, report->all.signatures, report->all.refusals,
	    plot->n, plot->width_s, max);
	for (size_t i = 0; i < plot->n; i++) {
		double signatures = (double)plot->signatures[i] / (double)max;
		double both =
		    (double)(plot->signatures[i] + plot->refusals[i]) /
		    (double)max;
		double x = LEFT + step * (double)i;

		put_bar(x, step * 0.9, 0, signatures, "signed", to);
		put_bar(x, step * 0.9, signatures, both, "refused", to);
	}
	put_axes(plot, max, to);
	fprintf(to,
	    "</svg>\n<figcaption>Signatures (blue) and refusals (red, on top) "
	    "in intervals of %" PRId64 " s.</figcaption>\n</figure>\n",
	    plot->width_s);
}

static void
put_row(const struct report_tally *tally, FILE *to)
{
	fputs("<tr><th scope=\"row\">", to);
	html_put(tally->name, to);
	fprintf(to,
	    "</th><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
	    "</td><td>",
	    tally->signatures, tally->refusals);
	put_time(tally->first_ns, to);
	fputs("</td><td>", to);
	put_time(tally->last_ns, to);
	fputs("</td><td>", to);
	for (size_t i = 0; i < tally->n_reasons; i++) {
		fprintf(to, "%s%" PRIu64 " &times; ", i == 0 ? "" : "<br>",
		    tally->reasons[i].n);
		html_put(tally->reasons[i].text, to);
	}
	fputs("</td></tr>\n", to);
}

static void
put_group(const struct report_group *group, const char *caption,
    const char *what, FILE *to)
{
	fprintf(to,
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"%s\">\n<table>\n<caption>%s</caption>\n"
	    "<thead><tr><th scope=\"col\">%s</th>"
	    "<th scope=\"col\" class=\"n\">Signatures</th>"
	    "<th scope=\"col\" class=\"n\">Refusals</th>"
	    "<th scope=\"col\">First</th><th scope=\"col\">Last</th>"
	    "<th scope=\"col\">Why refused</th></tr></thead>\n<tbody>\n",
	    caption, caption, what);
	for (size_t i = 0; i < group->n; i++)
		put_row(&group->at[i], to);
	fputs("</tbody>\n</table>\n</div>\n", to);
}

void
report_html(
    const struct report *report, const char *title, int64_t now_ns, FILE *to)
{
	const struct report_tally *all = &report->all;

	fputs(HEAD, to);
	fputs("<title>", to);
	html_put(title, to);
	fputs("</title>\n", to);
	fputs(STYLE, to);
	fputs("</head>\n<body>\n<main>\n<h1>", to);
	html_put(title, to);
	fprintf(to,
	    "</h1>\n<p>%" PRIu64 " signatures, %" PRIu64
	    " refusals and %" PRIu64 " custody acts",
	    all->signatures, all->refusals, all->custody);
	if (all->first_ns != 0) {
		fputs(", from ", to);
		put_time(all->first_ns, to);
		fputs(" to ", to);
		put_time(all->last_ns, to);
	}
	fputs(". Made ", to);
	put_time(now_ns, to);
	fputs(".</p>\n", to);
	if (report->plot.n > 0)
		put_plot(report, to);
	if (report->peers.n > 0)
		put_group(&report->peers, "By identity", "Identity", to);
	if (report->keys.n > 0)
		put_group(&report->keys, "By key", "Key", to);
	fputs("</main>\n</body>\n</html>\n", to);
}
