"""The laboratory: everything that measures, records and draws. The chapter never imports it.

The same in every project: `record`, `markdown`, `style`, `fetch`, `catalogue`, `smollm2_file`, `progress`, `cli`,
`mutation`.
This project's own: `experiment`, `bench`, `break_it`, `plots`, `tables`.
"""
